"""A value read off a line through points: how tables and calibrations of this folder are applied."""

from __future__ import annotations

import math
from itertools import pairwise

Points = tuple[tuple[float, float], ...]


def interpolate(points: Points, at: float, *, logarithmic: bool = False) -> float:
    """The value at `at` on the line through `points`, held constant beyond its ends.

    Example:
        >>> interpolate(((0, 1.0), (10, 2.0)), 5), interpolate(((0, 1.0), (10, 2.0)), 99)
        (1.5, 2.0)
    """
    if at <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if at <= x1:
            way = math.log(at / x0) / math.log(x1 / x0) if logarithmic else (at - x0) / (x1 - x0)
            return y0 + way * (y1 - y0)
    return points[-1][1]


def ascending(points: Points) -> bool:
    """Whether there are points and each stands right of the one before."""
    return bool(points) and all(a[0] < b[0] for a, b in pairwise(points))
