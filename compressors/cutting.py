"""Passages cut down to the units that were kept, and what was left out of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import groupby, pairwise

from ragctx.compressors.weighing import Weighed
from ragctx.types import Dropped, Passage

Why = Callable[[float], str]
BLANK = "blank"


def cut(weighed: Weighed, kept: Collection[int]) -> Passage:
    """The passage with some of its units; the whole of it where all of them are kept.

    Neighbours are kept with what stands between them, so that they read as in the document.

    Example:
        >>> from ragctx.compressors.units import units
        >>> from ragctx.types import Span
        >>> text = "Rent is ten. It is due. Pets are fine."
        >>> passage = Passage(text, (Span("a", 0, len(text)),))
        >>> cut(Weighed(passage, units(text), (0.9, 0.1, 0.8), 0.9), {0, 2}).text
        'Rent is ten. Pets are fine.'
    """
    if len(kept) == len(weighed.units):
        return weighed.passage
    return weighed.passage.narrowed(_ranges(weighed, sorted(kept)))


def left_out(weighed: Weighed, kept: Collection[int], why: Why) -> Iterator[Dropped]:
    """What of a passage is not read: neighbours that were left out for like reasons are one span.

    Of a derived passage nobody knows which of its spans a sentence was written from: its spans count as dropped where
    nothing of it is kept, and as read otherwise.

    Args:
        weighed: the passage.
        kept: numbers of its units that are read.
        why: from the probability of the likeliest unit of a run to the reason.
    """
    passage = weighed.passage
    if not weighed.units:
        yield from (Dropped(span, BLANK) for span in passage.spans)
    elif passage.derived:
        if not kept:
            yield from (Dropped(span, why(max(weighed.keeps))) for span in passage.spans)
    else:
        for run in _runs(weighed, kept, why):
            reason = why(max(weighed.keeps[j] for j in run))
            yield from (Dropped(span, reason) for span in passage.narrowed(_ranges(weighed, run)).spans)


def _runs(weighed: Weighed, kept: Collection[int], why: Why) -> Iterator[list[int]]:
    """Neighbouring units that are not kept, apart where the reasons differ in kind."""

    def kind(j: int) -> str:
        return "" if j in kept else why(weighed.keeps[j]).partition(":")[0]

    for reason, run in groupby(range(len(weighed.units)), kind):
        if reason:
            yield list(run)


def _ranges(weighed: Weighed, numbers: list[int]) -> Iterator[tuple[int, int]]:
    """The characters of some units, in order, and those between neighbours."""
    spots = weighed.units
    yield from ((spots[j].start, spots[j].end) for j in numbers)
    yield from ((spots[i].end, spots[j].start) for i, j in pairwise(numbers) if j == i + 1)
