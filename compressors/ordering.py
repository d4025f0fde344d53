"""The order in which compressed passages are read: best first, or best at both ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ragctx.types import Passage

if TYPE_CHECKING:
    from ragctx.compressors.likelihood import Ranked


def arranged(chosen: Sequence[Ranked], count: int, order: str) -> list[int]:
    """Numbers of all passages in reading order; those of which nothing was chosen come last.

    Args:
        chosen: sections, the most relevant first; a passage ranks by its best one.
        count: of passages.
        order: "relevance", "ends" or "given".
    """
    if order == "given":
        return list(range(count))
    best = list(dict.fromkeys(one.section.passage for one in chosen))
    read = best if order == "relevance" else both_ends(best)
    left = set(best)
    return [*read, *(number for number in range(count) if number not in left)]


def in_order(passages: Sequence[Passage], places: Sequence[int], found: Sequence[Ranked], order: str) -> list[Passage]:
    """The passages in reading order, with their relevance as score where that is what orders them.

    Args:
        passages: as they were given.
        places: their numbers in reading order.
        found: sections, the most relevant first.
        order: as for `arranged`.
    """
    if order == "given":
        return [passages[place] for place in places]
    best = {one.section.passage: one.relevance for one in reversed(found)}
    return [replace(passages[place], score=best.get(place, passages[place].score)) for place in places]


def both_ends(best: Sequence[int]) -> list[int]:
    """The best at the beginning, the next at the end, and so on: the least in the middle, where readers overlook it.

    Example:
        >>> both_ends([1, 2, 3, 4, 5])
        [1, 3, 5, 4, 2]
    """
    return [*best[::2], *best[1::2][::-1]]
