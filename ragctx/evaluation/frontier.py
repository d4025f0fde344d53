"""What quality costs: the hull of cost and quality that mixing reaches, its mean height, and calibration.

The hull and AIQ after RouterBench (Hu et al. 2024, arXiv 2403.12031): of points (cost, quality), the non-decreasing
concave hull is what one reaches by sending questions to this one or that one at random; AIQ is its mean height.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

Point = tuple[float, float]


def hull(points: Iterable[Point]) -> list[Point]:
    """The corners of the non-decreasing concave hull, cheapest first.

    Example:
        >>> hull([(1, 0.2), (2, 0.3), (3, 0.8), (4, 0.7)])
        [(1, 0.2), (3, 0.8)]
    """
    corners: list[Point] = []
    for point in sorted(points, key=lambda point: (point[0], -point[1])):
        if corners and point[1] <= corners[-1][1]:
            continue
        while len(corners) > 1 and _slope(corners[-2], point) >= _slope(corners[-2], corners[-1]):
            corners.pop()
        corners.append(point)
    return corners


def aiq(points: Iterable[Point], low: float | None = None, high: float | None = None) -> float:
    """Mean height of the hull between two costs; below its first corner there is nothing to reach.

    Args:
        points: cost and quality of each way.
        low: the cost to begin at, the cheapest point's by default.
        high: the cost to end at, the dearest point's by default; beyond its last corner the hull is level.

    Raises:
        ValueError: there is no point, or low is above high.

    Example:
        >>> aiq([(1, 0.2), (3, 0.8)]), round(aiq([(1, 0.2), (3, 0.8)], 1, 5), 3)
        (0.5, 0.65)
    """
    every = list(points)
    if not every:
        raise ValueError("no points: give the cost and quality of at least one way")
    first = min(cost for cost, _ in every) if low is None else low
    last = max(cost for cost, _ in every) if high is None else high
    if first > last:
        raise ValueError(f"low {first} is above high {last}: give them the other way round")
    corners = hull(every)
    if first == last:
        return _height(corners, first)
    stops = sorted({first, last, *(cost for cost, _ in corners if first < cost < last)})
    area = sum((b - a) * (_height(corners, a) + _height(corners, b)) / 2 for a, b in pairwise(stops))
    return area / (last - first)


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions that are near each other: how many, their mean, and the mean of what came of them."""

    count: int
    predicted: float
    scored: float


def calibration(predicted: Sequence[float], scored: Sequence[float], bins: int = 10) -> tuple[Bin, ...]:
    """Bins of equal width over predictions from 0 to 1, empty ones left out.

    Raises:
        ValueError: lengths differ, there is no bin, or a prediction is outside 0 to 1.

    Example:
        >>> calibration([0.1, 0.12, 0.9], [0, 1, 1], bins=5)
        (Bin(count=2, predicted=0.11, scored=0.5), Bin(count=1, predicted=0.9, scored=1.0))
    """
    if len(predicted) != len(scored) or bins < 1 or not all(0 <= one <= 1 for one in predicted):
        raise ValueError("need equally many predictions and scores, predictions from 0 to 1, and at least one bin")
    held: dict[int, list[tuple[float, float]]] = {}
    for one, score in zip(predicted, scored, strict=True):
        held.setdefault(min(int(one * bins), bins - 1), []).append((one, score))
    return tuple(_bin(held[place]) for place in sorted(held))


def calibration_error(found: Iterable[Bin]) -> float:
    """Expected calibration error: the bins' gaps, weighted by how many are in each; 0 without any.

    Source: Guo et al. 2017, arXiv 1706.04599.

    Example:
        >>> calibration_error([Bin(1, 0.5, 1.0), Bin(3, 0.5, 0.5)])
        0.125
    """
    every = list(found)
    total = sum(one.count for one in every)
    return sum(one.count * abs(one.predicted - one.scored) for one in every) / total if total else 0.0


def _bin(pairs: list[tuple[float, float]]) -> Bin:
    predicted, scored = zip(*pairs, strict=True)
    return Bin(len(pairs), sum(predicted) / len(pairs), sum(scored) / len(pairs))


def _slope(one: Point, other: Point) -> float:
    run = other[0] - one[0]
    return (other[1] - one[1]) / run if run else float("inf")


def _height(corners: Sequence[Point], cost: float) -> float:
    if cost < corners[0][0]:
        return 0.0
    for (x0, y0), (x1, y1) in pairwise(corners):
        if x0 <= cost <= x1:
            return y0 + (y1 - y0) * (cost - x0) / (x1 - x0)
    return corners[-1][1]
