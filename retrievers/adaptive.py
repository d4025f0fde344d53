"""Adaptive-k: how many passages are read is where their scores fall furthest, and a few more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError
from ragctx.models import Models
from ragctx.retrievers.asking import at_least, cut_off, searched
from ragctx.strategies.finding import search_line
from ragctx.types import Context, Line, Question
from ragctx.work import Work


@dataclass(frozen=True, slots=True)
class AdaptiveK:
    """Cuts a ranking at the largest gap between two scores that follow each other (Adaptive-k, EMNLP 2025).

    A question with one answer has few passages that stand out, one about everything has none: the first is answered
    from few tokens, the second from all that the limit allows. No model but the encoder is asked. Cosines are what the
    gaps are looked for in; scores fused by rank, as those of `hybrid`, fall furthest at the top whatever was found.

    Attributes:
        over: the retriever that searches, or its name; "dense" needs an encoder, "bm25" none.
        depth: passages that are looked at, whatever the limit; no more are handed over.
        buffer: passages that are added behind the gap.
        head, tail: shares of those looked at, from the first and from the last, between which no gap is looked for: an
            outlier at the top or a break in the noise at the end is no cut.

    Raises:
        ConfigError: an option makes no sense.

    Example:
        >>> AdaptiveK(buffer=0).cut([0.9, 0.8, 0.3, 0.25]), AdaptiveK(buffer=5).cut([0.9, 0.2])
        (2, 2)
        >>> AdaptiveK(buffer=0, head=0.5).cut([0.9, 0.3, 0.25, 0.1])
        3
    """

    name: ClassVar[str] = "adaptive-k"

    over: str | Retriever = "dense"
    depth: int = 50
    buffer: int = 5
    head: float = 0.0
    tail: float = 0.1

    def __post_init__(self) -> None:
        at_least(self.name, depth=self.depth)
        if self.buffer < 0 or min(self.head, self.tail) < 0 or self.head + self.tail >= 1:
            raise ConfigError(
                "adaptive-k needs buffer, head and tail not below zero, and head + tail below 1, not "
                f"buffer={self.buffer}, head={self.head}, tail={self.tail}"
            )

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the index of the retriever that searches."""
        yield from searched(self.over, Question("."), (), corpus, 1, models)

    def retrieve(self, question: Question, corpus: Corpus, limit: int, models: Models) -> Work[Context]:
        """Passages before the largest gap and a few more, best first; at most `limit`."""
        [found] = yield from searched(self.over, question, [question.text], corpus, self.depth, models)
        scores = [passage.score for passage in found.passages if passage.score is not None]
        if len(scores) < len(found.passages):
            note = "not cut at a gap: the retriever gives no scores"
            return replace(found, passages=found.passages[:limit], notes=(*found.notes, note))
        k = self.cut(scores)
        kept, left = found.passages[: min(k, limit)], found.passages[min(k, limit) :]
        told = "behind the largest gap of the scores" if k <= limit else f"rank above {limit}"
        signals = {**found.signals, "adaptive_k": float(k), "adaptive_share": k / len(scores) if scores else 0.0}
        return Context(kept, cut_off(left, kept, told) or found.dropped, found.notes, signals)

    def lines(self, question: Question, corpus: Corpus, limit: int, models: Models) -> tuple[Line, ...]:
        """What the search itself asks."""
        return search_line(self.over, question, models, corpus, self.depth)

    def cut(self, scores: Sequence[float]) -> int:
        """How many of the passages are handed over; all where no score is above the next.

        Args:
            scores: best first.
        """
        first, last = int(self.head * len(scores)), len(scores) - 1 - int(self.tail * len(scores))
        gaps = [(scores[i] - scores[i + 1], -i) for i in range(first, last)]
        widest, place = max(gaps, default=(0.0, 0))
        return min(len(scores), 1 - place + self.buffer) if widest > 0 else len(scores)
