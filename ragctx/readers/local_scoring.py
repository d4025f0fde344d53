"""From `Score` requests to sequences of token ids, and from log-probabilities to replies."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ragctx.work import Failure, Reply, Score, Scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ragctx.models import Pieces
    from ragctx.readers.flat_attention import Layers
    from ragctx.readers.local_model import LocalModel
    from ragctx.readers.prefix import PrefixStore
    from ragctx.readers.scoring import Given


@dataclass(frozen=True, slots=True)
class Scoring:
    """One request in ids.

    Attributes:
        begin: the token that begins a text, where the request has no prefix; else none.
        prefix, target: ids. offsets: of the target's tokens, where it is a text.
        whole: the prefix's tokens are wanted too.
    """

    begin: tuple[int, ...]
    prefix: tuple[int, ...]
    target: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    whole: bool

    @classmethod
    def of(cls, request: Score, pieces: Pieces, begin: int | None) -> Scoring:
        """The request's ids.

        Raises:
            ValueError: there is no prefix, and the model has no token that begins a text.
        """
        prefix, _ = _ids(request.prefix, pieces)
        target, offsets = _ids(request.target, pieces)
        if not prefix and begin is None:
            raise ValueError("this model has no token that begins a text: give the score a prefix")
        return cls(() if prefix or begin is None else (begin,), prefix, target, offsets, request.whole)

    @property
    def size(self) -> int:
        """Tokens that the model reads."""
        return len(self.begin) + len(self.prefix) + len(self.target)

    @property
    def wanted(self) -> int:
        """How many tokens are scored, at the end of the sequence: the very first one cannot be."""
        return len(self.target) + (max(0, len(self.prefix) - 1) if self.whole else 0)

    def given(self) -> Given:
        """The sequence to be scored.

        A prefix that is only read may be read again, and longer, by the next request; one that is scored too is not.
        """
        from ragctx.readers.scoring import Given

        tokens = np.asarray([*self.begin, *self.prefix, *self.target], dtype=np.int32)
        kept = 0 if self.whole else max(0, len(self.begin) + len(self.prefix) - 1)
        return Given(tokens, len(tokens) - self.wanted, kept)

    def reply(self, found: NDArray[np.float64], seconds: float) -> Reply:
        """The numbers as a reply; a failure where some are none."""
        if not np.isfinite(found).all():
            bad = int((~np.isfinite(found)).sum())
            return Failure(
                "malformed",
                f"{bad} of {len(found)} log-probabilities are no finite numbers: the weights are damaged, or too large "
                "for their precision; fetch them again, or open the model with dtype='float32'",
                prompt_tokens=self.size,
            )
        values, target = found.tolist(), len(self.target)
        before = (0.0, *values[: len(values) - target]) if self.whole and self.prefix else ()
        return Scores(tuple(values[len(values) - target :]), self.target, self.offsets, self.size, seconds, before)


def _ids(part: str | tuple[int, ...], pieces: Pieces) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    if not isinstance(part, str):
        return part, ()
    ids, offsets = pieces.pieces(part)
    return tuple(ids), tuple(offsets)


def scored(model: LocalModel, store: PrefixStore[Layers], scorings: Sequence[Scoring], chunk: int) -> Iterator[Reply]:
    """One reply for each request, all of them computed together.

    Args:
        model: what computes.
        store: prefix caches kept between calls.
        scorings: the requests.
        chunk: tokens in one forward pass at most.
    """
    from ragctx.readers.scoring import score

    started = time.perf_counter()
    known = [all(0 <= i < model.vocabulary for i in (*one.prefix, *one.target)) for one in scorings]
    some = [i for i, one in enumerate(scorings) if known[i] and one.wanted]
    found = dict(zip(some, score(model, store, [scorings[i].given() for i in some], chunk), strict=True))
    read = sum(scorings[i].size for i in some)
    share = (time.perf_counter() - started) / max(1, read)  # of the machine's time, not of waiting
    for i, one in enumerate(scorings):
        if known[i]:
            yield one.reply(found.get(i, np.empty(0)), share * one.size)
        else:
            yield Failure("bad_request", f"ids must be 0 to {model.vocabulary - 1}: take them from this model's pieces")
