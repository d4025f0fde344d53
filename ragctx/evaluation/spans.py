"""Measures of what was kept and what was cited, against gold spans.

Kept text is measured in characters of the union of its spans, so that overlapping or split spans count once.
Citations are measured by the piece: a citation is right or wrong as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ragctx.types import Span


@dataclass(frozen=True, slots=True)
class Overlap:
    """Precision and recall, each 0 to 1.

    Example:
        >>> round(Overlap(precision=0.5, recall=1.0).f1, 3)
        0.667
    """

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean of the two; 0 where both are."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def kept_spans(kept: Iterable[Span], gold: Iterable[Span]) -> Overlap:
    """Character precision and recall of the kept text.

    Nothing kept where nothing was to be kept is perfect; where only one side is empty both measures are 0.

    Example:
        >>> kept_spans([Span("a", 0, 10)], [Span("a", 5, 10), Span("b", 0, 5)])
        Overlap(precision=0.5, recall=0.5)
    """
    ours, wanted = merged(kept), merged(gold)
    shared = _shared(ours, wanted)
    return _overlap(shared, _length(ours), shared, _length(wanted))


def citations(cited: Sequence[Span], gold: Sequence[Span], *, least: float = 0.5) -> Overlap:
    """Share of citations that point at gold text, and share of gold spans that some citation points at.

    A citation and a gold span meet when they share at least `least` of the shorter one: a cited sentence meets the
    gold phrase inside it, and the gold paragraph around it, but not a neighbour it merely touches. Empty sides are
    treated as in `kept_spans`.

    Args:
        cited: the answer's citations.
        gold: the spans that carry the gold answer.
        least: share of the shorter span's characters, above 0, at most 1.

    Example:
        >>> citations([Span("a", 0, 40), Span("a", 90, 120)], [Span("a", 10, 20)])
        Overlap(precision=0.5, recall=1.0)
    """
    if not 0 < least <= 1:
        raise ValueError(f"least must be above 0 and at most 1, got {least}")
    right = sum(any(_meet(span, other, least) for other in gold) for span in cited)
    found = sum(any(_meet(span, other, least) for other in cited) for span in gold)
    return _overlap(right, len(cited), found, len(gold))


def merged(spans: Iterable[Span]) -> list[Span]:
    """The spans sorted, those that overlap or touch joined, empty ones left out.

    Example:
        >>> merged([Span("a", 5, 9), Span("a", 0, 6), Span("a", 12, 12)])
        [Span(document='a', start=0, end=9)]
    """
    joined: list[Span] = []
    for span in sorted(span for span in spans if len(span)):
        last = joined[-1] if joined else None
        if last is not None and last.document == span.document and span.start <= last.end:
            joined[-1] = Span(last.document, last.start, max(last.end, span.end))
        else:
            joined.append(span)
    return joined


def _shared(ours: list[Span], wanted: list[Span]) -> int:
    """Characters in both; each list is sorted and free of overlaps, so one walk over the two is enough."""
    total = i = j = 0
    while i < len(ours) and j < len(wanted):
        total += ours[i].overlap(wanted[j])
        if (ours[i].document, ours[i].end) <= (wanted[j].document, wanted[j].end):
            i += 1
        else:
            j += 1
    return total


def _length(spans: Iterable[Span]) -> int:
    return sum(len(span) for span in spans)


def _meet(one: Span, other: Span, least: float) -> bool:
    shared = one.overlap(other)
    return shared > 0 and shared >= least * min(len(one), len(other))


def _overlap(right: int, given: int, found: int, wanted: int) -> Overlap:
    if not given and not wanted:
        return Overlap(1.0, 1.0)
    if not given or not wanted:
        return Overlap(0.0, 0.0)
    return Overlap(right / given, found / wanted)
