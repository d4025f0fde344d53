from __future__ import annotations

import pytest

from ragctx.evaluation.measures.retrieved import Retrieved, precision_omega, retrieved
from ragctx.types import Span


def test_by_hand() -> None:
    # wanted 0-10 and 40-50; chunks 5-25 (20) and 20-45 (25): in both 5 + 5 = 10
    found = retrieved([Span("a", 5, 25), Span("a", 20, 45)], [Span("a", 0, 10), Span("a", 40, 50)])
    assert found == Retrieved(precision=10 / 45, recall=10 / 20, iou=10 / (45 + 20 - 10))


def test_the_same_chunk_twice_costs_precision_and_gains_nothing() -> None:
    once, twice = (retrieved([Span("a", 0, 10)] * times, [Span("a", 0, 10)]) for times in (1, 2))
    assert once == Retrieved(1.0, 1.0, 1.0)
    assert twice == Retrieved(0.5, 1.0, 0.5)


def test_nothing_found_and_nothing_wanted() -> None:
    assert retrieved([], [Span("a", 0, 10)]) == Retrieved(0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match="nothing is wanted"):
        retrieved([Span("a", 0, 10)], [Span("a", 3, 3)])


def test_precision_omega() -> None:
    chunks = [Span("a", start, start + 10) for start in range(0, 50, 10)]
    assert precision_omega(chunks, [Span("a", 8, 12)]) == 4 / 20
    assert precision_omega(chunks, [Span("a", 45, 60)]) == 5 / 20  # 45-50 is found; 50-60 is in no chunk
    with pytest.raises(ValueError, match="nothing is wanted"):
        precision_omega(chunks, [])
