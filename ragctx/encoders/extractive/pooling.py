"""From what each window says of its tokens to what a whole passage says of its units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Sight(NamedTuple):
    """What one window says: tokens [begin, end) of a passage of `count`, and the probability of each to be kept."""

    begin: int
    end: int
    keep: np.ndarray


def means(first: np.ndarray, last: np.ndarray, sights: Sequence[Sight], count: int) -> np.ndarray:
    """The mean keep probability of every unit [units]; 0 where it has no token.

    A unit is taken from the window that sees all of it, of several from the one that shows most around it. One longer
    than any window is the mean over all that is seen of it.

    Args:
        first: token places [units] where units begin.
        last: places after their ends.
        sights: the windows over the passage.
        count: the passage's tokens.

    Example:
        >>> sight = Sight(0, 4, np.array([0.0, 1.0, 1.0, 0.0]))
        >>> means(np.array([0, 1, 4]), np.array([2, 3, 4]), [sight], 4).tolist()
        [0.5, 1.0, 0.0]
    """
    size = last - first
    around, whole = np.full(len(size), -1.0), np.zeros(len(size))
    total, seen = np.zeros(len(size)), np.zeros(len(size))
    for begin, end, keep in sights:
        sums = np.concatenate([[0.0], np.cumsum(keep, dtype=np.float64)])
        low, high = np.clip(first, begin, end) - begin, np.clip(last, begin, end) - begin
        part, shown = sums[high] - sums[low], high - low
        before = np.where(begin > 0, first - begin, count)  # negative where the window cuts the unit
        after = np.where(end < count, end - last, count)
        margin = np.minimum(before, after)
        whole, around = np.where(margin > around, part, whole), np.maximum(around, margin)
        total, seen = total + part, seen + shown
    value = np.where(around >= 0, whole / np.maximum(size, 1), total / np.maximum(seen, 1))
    return np.where(size > 0, np.clip(value, 0.0, 1.0), 0.0)
