"""The order in which compressed passages are read: best first, or best at both ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

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


def both_ends(best: Sequence[int]) -> list[int]:
    """The best at the beginning, the next at the end, and so on: the least in the middle, where readers overlook it.

    Example:
        >>> both_ends([1, 2, 3, 4, 5])
        [1, 3, 5, 4, 2]
    """
    return [*best[::2], *best[1::2][::-1]]
