"""The router on our own outcome matrix: plans against bills, and against strategies, Self-Route and chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Any

from ragctx.evaluation import paired_bootstrap
from ragctx.evaluation.calibration import calibrate
from ragctx.evaluation.frontier import Point, aiq, hull
from ragctx.evaluation.outcomes import Asked, Cell, Matrix
from ragctx.evaluation.trial import Routing, corrections_of, routings

LAMS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.3, 1.7, 2.2)
SELF_ROUTE, CHEAP, WHOLE = "self-route", "retrieve", "full"


@dataclass(frozen=True, slots=True)
class Way:
    """What one way of choosing scored and cost on every row."""

    name: str
    cells: tuple[Cell, ...]

    @property
    def point(self) -> Point:
        """Mean tokens and mean score."""
        return fmean(cell.tokens for cell in self.cells), fmean(cell.score for cell in self.cells)


def plans(matrix: Matrix) -> dict[str, Any]:
    """Planned against billed tokens: the median error as planned and corrected, and how often the bounds held."""
    moved = corrections_of(matrix)
    cells = [(n, c) for row in matrix.rows for n, c in row.cells.items() if c.expected is not None and c.tokens]
    off = [abs((cell.expected or 0) - cell.tokens) / cell.tokens for _, cell in cells]
    then = [abs((cell.expected or 0) * moved[name].tokens - cell.tokens) / cell.tokens for name, cell in cells]
    bound = [cell for _, cell in cells if cell.low is not None and cell.high is not None]
    held = [(cell.low or 0) <= cell.tokens <= (cell.high or 0) for cell in bound]
    by = {name: round(median(e for (n, _), e in zip(cells, off, strict=True) if n == name), 4) for name, _ in cells}
    return {
        "plan_error_median": round(median(off), 4),
        "plan_error_corrected": round(median(then), 4),
        "plan_bounds_held": round(fmean(held), 4) if held else None,
        "plan_error_by_strategy": by,
    }


def self_route(row: Asked) -> Cell:
    """Retrieve, and where the model declines read everything: both are billed (Li et al. 2024, arXiv 2407.16833)."""
    first, second = row.cells.get(CHEAP), row.cells.get(WHOLE)
    if first is None or second is None:
        return first or second or Cell(0.0, 0.0)
    if not first.declined:
        return first
    return replace(second, tokens=first.tokens + second.tokens, seconds=first.seconds + second.seconds)


def compared(matrix: Matrix) -> dict[str, Any]:
    """The router out of fold at many weights of cost, and what stands against it."""
    ways = [_single(matrix, name) for name in matrix.strategies]
    ways.append(Way(SELF_ROUTE, tuple(self_route(row) for row in matrix.rows)))
    router = [_routed(matrix, one) for one in routings(matrix, LAMS)]
    curve = [way.point for way in router]
    singles = [way.point for way in ways if way.name != SELF_ROUTE]
    costs = min(cost for cost, _ in singles), max(cost for cost, _ in singles)
    found = calibrate(matrix)
    return {
        "matrix_rows": len(matrix.rows),
        "matrix_questions": len({row.question for row in matrix.rows}),
        "matrix_sets": len({row.kind for row in matrix.rows}),
        "matrix_ways": {way.name: _told(way) for way in (*ways, *router)},
        "matrix_aiq": {"router": round(aiq(curve, *costs), 4), "chance": round(aiq(singles, *costs), 4)},
        "matrix_oracle": round(fmean(max(cell.score for cell in row.cells.values()) for row in matrix.rows), 4),
        "matrix_against": {way.name: _against(matrix, way, router) for way in ways},
        "matrix_over_chance": _over_chance(router, hull(singles)),
        "matrix_calibration_error": round(found.error, 4),
        "matrix_verdict": found.verdict,
    }


def _single(matrix: Matrix, name: str) -> Way:
    return Way(name, tuple(row.cells.get(name, Cell(0.0, 0.0)) for row in matrix.rows))


def _routed(matrix: Matrix, one: Routing) -> Way:
    pairs = zip(matrix.rows, one.taken, strict=True)
    return Way(one.arm.name, tuple(row.cells.get(name, Cell(0.0, 0.0)) for row, name in pairs))


def _told(way: Way) -> list[float]:
    tokens, score = way.point
    return [round(score, 4), round(tokens)]


def _against(matrix: Matrix, theirs: Way, router: Sequence[Way]) -> dict[str, Any] | None:
    """The best router that costs no more than another way, and its gain in points; none that is so cheap: None.

    The best of a few weights is taken on the rows that are measured: that favours the router a little.
    """
    able = [way for way in router if way.point[0] <= theirs.point[0]]
    if not able:
        return None
    ours = max(able, key=lambda way: way.point[1])
    groups = [row.group or row.question for row in matrix.rows]
    drawn = paired_bootstrap(_scores(ours), _scores(theirs), groups)
    points = {"gain": drawn.difference, "low": drawn.low, "high": drawn.high}
    return {name: round(100 * value, 2) for name, value in points.items()} | {
        "router": ours.name,
        "tokens": round(ours.point[0] / theirs.point[0], 3) if theirs.point[0] else 1.0,
    }


def _over_chance(router: Sequence[Way], corners: Sequence[Point]) -> dict[str, float]:
    """By how many points each router is above the best mixture of strategies at its own cost."""
    height = _line(corners)
    return {way.name: round(100 * (way.point[1] - height(way.point[0])), 2) for way in router}


def _line(corners: Sequence[Point]) -> Callable[[float], float]:
    """The height of a hull at a cost."""

    def at(cost: float) -> float:
        return aiq(corners, cost, cost)

    return at


def _scores(way: Way) -> list[float]:
    return [cell.score for cell in way.cells]
