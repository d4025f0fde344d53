"""Values that mean nothing are refused where they are made, with what to give instead."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from ragctx.errors import BadQuestion, BudgetSpent, ConfigError
from ragctx.questions import Questions
from ragctx.types import Budget, Question, Where


class Notice(BaseModel):
    months: int


@pytest.mark.parametrize(
    "ceilings",
    [{"tokens": -5}, {"money": -0.01}, {"seconds": float("nan")}, {"calls": -1}, {"tokens": "20k"}, {"tokens": True}],
)
def test_budgets_below_zero(ceilings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"{next(iter(ceilings))} is none: give a number"):
        Budget(**ceilings)  # type: ignore[arg-type]


def test_bare_budgets() -> None:
    assert Budget.of(0) == Budget(tokens=0)
    assert Budget.of(None) is None
    for wrong in (-1, "20k", True):
        with pytest.raises(ConfigError):
            Budget.of(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("pages", [(0, -3), (0, 2), (5, 2), (1,), (1, 2, 3), ("1", "2"), 3, (1.0, 2.0)])
def test_pages_that_are_none(pages: object) -> None:
    with pytest.raises(BadQuestion, match="from 1"):
        Where(pages=pages)  # type: ignore[arg-type]


def test_pages_of_one() -> None:
    assert Where(pages=(1, 1)).admits_page(1)


@pytest.mark.parametrize("kind", ["str", str, {"type": "object"}, Notice(months=3)])
def test_answer_types_that_are_no_model(kind: object) -> None:
    with pytest.raises(BadQuestion, match="no pydantic model"):
        Question("What is the notice?", answer_type=kind)  # type: ignore[arg-type]
    assert Question("What is the notice?", answer_type=Notice).answer_type is Notice


@pytest.mark.parametrize("row", [{"budget": -5}, {"budget": {"money": -1}}, {"where": {"pages": [0, -3]}}])
def test_rows_are_told_with_their_line(row: dict[str, object]) -> None:
    with pytest.raises(BadQuestion, match=r"1 bad line.*2"):
        Questions.of(["What is the rent?", {"question": "What is the notice?", **row}])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BudgetSpent("tokens", 1_234_567, 8_525), "needs 1,234,567 tokens, 8,525 left"),
        (BudgetSpent("money", 0.0125, 0.001), "needs 0.0125 money, 0.001 left"),
        (BudgetSpent("seconds", 30, 0), "the question's 30 seconds have passed"),
    ],
)
def test_amounts_are_readable(error: BudgetSpent, said: str) -> None:
    assert said in str(error)
