"""Dual chunk attention's positions: no query is ever further from a key than training has shown.

Chen and others, "Training-Free Long-Context Scaling of Large Language Models", arXiv 2402.17463.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragctx.attention.extents import BLOCK
from ragctx.attention.positions.frequencies import temperature
from ragctx.errors import ConfigError

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DualChunk:
    """A text cut every `stride` = chunk - local tokens; keys are told their place in their own piece.

    A query sees its own piece at true distances. The piece before it appears at true distances as long as the query's
    place allows, then at the largest; whatever lies further back as if the query stood at the chunk's last place. So
    every distance is at least 0 and below `chunk`, and those up to `local` are true.

    Attributes:
        chunk: tokens, not more than the model was trained to.
        local: tokens that are always at their true distance.
        trained: tokens the model was trained to: a query beyond them is sharpened by YaRN's temperature for its own
            place, so that the answer does not depend on how long the text becomes. 0 sharpens none.

    Raises:
        ConfigError: the stride is no multiple of 64, or the chunk too short for its local part.

    Example:
        >>> dual = DualChunk(chunk=192, local=64)
        >>> dual.stride, dual.distances(np.array([400]), np.array([0, 130, 300, 390])).tolist()
        (128, [191, 189, 100, 10])
    """

    chunk: int
    local: int
    trained: int = 0

    def __post_init__(self) -> None:
        if self.stride % BLOCK or not 0 < self.local <= self.stride:
            raise ConfigError(
                f"a chunk of {self.chunk} with {self.local} local tokens: chunk - local must be a multiple of {BLOCK} "
                "and not less than local"
            )

    @classmethod
    def trained_to(cls, tokens: int, *, sharpen: bool = False) -> DualChunk:
        """A setting for a model by its training length: a chunk of three quarters of it, an eighth local.

        Args:
            tokens: the training length, at least 512.
            sharpen: whether queries beyond it get YaRN's temperature.
        """
        local = tokens // 8 // BLOCK * BLOCK
        stride = tokens * 5 // 8 // (2 * BLOCK) * 2 * BLOCK  # whole pages of 128 too
        return cls(stride + local, local, tokens if sharpen else 0)

    @property
    def stride(self) -> int:
        """Tokens of a piece."""
        return self.chunk - self.local

    @property
    def fingerprint(self) -> str:
        """Its settings as text."""
        return f"dual({self.chunk},{self.local},{self.trained})"

    def turns(self, queries: Places, piece: int) -> Places:
        """How far queries at their true positions are turned to see the keys of a piece at *their* true positions.

        Keys stay as they are: only the difference of two positions counts.
        """
        return self._stand(queries, piece) + piece * self.stride - queries

    def distances(self, queries: Places, keys: Places) -> Places:
        """The distance at which each query sees a key that does not come after it."""
        return self._stand(queries, keys // self.stride) - keys % self.stride

    def _stand(self, queries: Places, piece: int | Places) -> Places:
        """Where queries stand, counted from the beginning of a piece that they look at."""
        back, place = queries // self.stride - piece, queries % self.stride
        before = np.minimum(place + self.stride, self.chunk - 1)
        return np.where(back == 0, place, np.where(back == 1, before, self.chunk - 1))

    def heat(self, queries: Places) -> NDArray[np.float64] | None:
        """What queries are multiplied with; None where that is nothing."""
        if not self.trained or int(queries.max()) < self.trained:
            return None
        return np.array([temperature((place + 1) / self.trained) ** 2 for place in queries.tolist()])
