"""The tiles that could hold the best key, by the bounds of their keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ragctx.attention.selection.evidence import Evidence
from ragctx.attention.selection.rule import Budgeted, Mask, best, by_rows, shares

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Quest(Budgeted):
    """The tiles with the highest bound on their scores, made for decoding, after Quest (arXiv 2406.10774).

    No key of a tile scores above what its least and greatest numbers allow. Each query's bounds become shares of a
    softmax over the past; a tile counts what it is worth to the head and query that need it most.

    Attributes:
        budget, growth: see `Budgeted`.

    Raises:
        ConfigError: a setting out of range.

    Example:
        >>> import torch
        >>> from ragctx.attention import Extent
        >>> from ragctx.attention.selection.evidence import TensorKeys
        >>> query, keys = torch.zeros(1, 1, 16), torch.zeros(640, 1, 16)
        >>> query[..., 0], keys[200, 0, 0] = 9, 9
        >>> Quest(budget=64).mask(Evidence(Extent(1, 640), query, TensorKeys(keys))).nonzero()[2].tolist()
        [3]
    """

    name: ClassVar[str] = "quest"

    def mask(self, seen: Evidence) -> Mask:
        """See `Rule`."""
        past = seen.extent.base + seen.extent.tiles - 1
        least, most = (bound[:past].float() for bound in seen.keys.bounds())

        def choose(head: int, queries: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
            bounds = queries.clamp(min=0) @ most[:, head].T + queries.clamp(max=0) @ least[:, head].T
            return best(shares(bounds[..., None, :] * seen.factor, own).amax((0, 2)), own, self.counts(own))

        return by_rows(seen, choose)
