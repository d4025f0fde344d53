"""Token-level precision, recall and IoU of what was retrieved or kept, over exact ranges of characters.

Source: the chunking evaluation of Smith and Troynikov 2024 (Chroma technical report), which later work on chunk sizes
uses. `ragctx.evaluation.spans.kept_spans` is ours: there, text kept twice counts once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ragctx.evaluation.spans import merged
from ragctx.types import Span


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Shares of characters, each 0 to 1.

    Attributes:
        precision: of what was retrieved, how much is wanted; text retrieved twice counts twice below the line.
        recall: of what is wanted, how much was retrieved.
        iou: what is both over what is either, text retrieved twice counting twice.
    """

    precision: float
    recall: float
    iou: float


def retrieved(found: Iterable[Span], wanted: Iterable[Span]) -> Retrieved:
    """The three measures of one retrieval.

    Args:
        found: the chunks, as retrieved.
        wanted: the references, which must not overlap.

    Raises:
        ValueError: nothing is wanted.

    Example:
        >>> retrieved([Span("a", 0, 10), Span("a", 5, 15)], [Span("a", 8, 18)])
        Retrieved(precision=0.35, recall=0.7, iou=0.30434782608695654)
    """
    chunks, gold = list(found), list(wanted)
    needed = sum(map(len, gold))
    if not needed:
        raise ValueError("nothing is wanted: give at least one span that is not empty")
    both, given = _shared(chunks, gold), sum(map(len, chunks))
    return Retrieved(both / given if given else 0.0, both / needed, both / (given + needed - both))


def precision_omega(chunks: Iterable[Span], wanted: Iterable[Span]) -> float:
    """The best precision that a way of cutting allows at full recall, whatever retrieves.

    Args:
        chunks: all chunks of the documents.
        wanted: the references.

    Raises:
        ValueError: nothing is wanted.

    Example:
        >>> precision_omega([Span("a", 0, 10), Span("a", 10, 20)], [Span("a", 2, 7)])
        0.5
    """
    gold = list(wanted)
    touching = [chunk for chunk in chunks if any(chunk.overlap(span) for span in gold)]
    both, all_ = _shared(touching, gold), sum(map(len, merged([*touching, *gold])))
    if not all_:
        raise ValueError("nothing is wanted: give at least one span that is not empty")
    return both / all_


def _shared(found: Iterable[Span], wanted: list[Span]) -> int:
    """Characters of the wanted text that some chunk holds, each counted once."""
    return sum(one.overlap(gold) for one in merged(found) for gold in wanted)
