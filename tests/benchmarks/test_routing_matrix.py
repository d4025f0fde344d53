"""What the benchmark tells of an outcome matrix: plans against bills, Self-Route, chance, and the router."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn")
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import outcomes
import routing_matrix
import routing_table

from ragctx.evaluation.outcomes import Asked, Cell, Matrix


def matrix() -> Matrix:
    """Long questions need everything, short ones retrieval; a wrong retrieved answer is declined half of the time."""
    draw, rows = random.Random(1), []
    for at in range(160):
        long = draw.random() < 0.5
        whole, part = (float(draw.random() < odds) for odds in ((0.9, 0.2) if long else (0.3, 0.9)))
        cells = {
            "full": Cell(whole, 2_100, 4.0, 2_000.0, 2.0, low=1_900, high=2_200),
            "retrieve": Cell(part, 400, 1.0, 300.0, low=200, high=390, declined=not part and draw.random() < 0.5),
        }
        told = {"words": draw.gauss(20.0 if long else 8.0, 2.0), "document_tokens": 2_000.0}
        rows.append(Asked(f"q{at}", f"d{at // 2}", f"set{at % 3}", "m", told, cells))
    return Matrix(tuple(rows))


def test_plans_are_held_against_bills() -> None:
    found = routing_matrix.plans(matrix())
    assert found["plan_error_by_strategy"] == {"full": round(100 / 2_100, 4), "retrieve": 0.25}
    assert found["plan_error_corrected"] == 0
    assert found["plan_bounds_held"] == 0.5, "full's bounds hold every bill, retrieve's none"


def test_self_route_pays_for_both_where_it_declines() -> None:
    cells = {"full": Cell(1.0, 2_000, 4.0), "retrieve": Cell(0.0, 300, 1.0, declined=True)}
    assert routing_matrix.self_route(Asked("q", "d", "s", "m", {}, cells)) == Cell(1.0, 2_300, 5.0)
    sure = {"full": Cell(1.0, 2_000), "retrieve": Cell(0.0, 300)}
    assert routing_matrix.self_route(Asked("q", "d", "s", "m", {}, sure)) == Cell(0.0, 300)
    assert routing_matrix.self_route(Asked("q", "d", "s", "m", {}, {"full": Cell(1.0, 9)})).score == 1.0


def test_the_router_is_never_dearer_than_what_it_is_held_against() -> None:
    found = routing_matrix.compared(matrix())
    ways = found["matrix_ways"]
    for name, one in found["matrix_against"].items():
        assert ways[one["router"]][1] <= ways[name][1]
        assert one["low"] <= one["gain"] <= one["high"]
    assert found["matrix_against"]["full"]["low"] > 0
    assert found["matrix_aiq"]["router"] > found["matrix_aiq"]["chance"]
    assert max(found["matrix_over_chance"].values()) > 10
    assert found["matrix_oracle"] > ways["full"][0]
    told = "\n".join(routing_table._matrix(found))
    assert "| self-route |" in told
    assert "calibrate" in told


def test_rows_that_are_known_are_not_asked_again(tmp_path) -> None:
    file = tmp_path / "outcomes.jsonl"
    assert outcomes._known(file, "m") == set()
    matrix().write(file)
    assert len(outcomes._known(file, "m")) == 160
    assert outcomes._known(file, "another") == set()
