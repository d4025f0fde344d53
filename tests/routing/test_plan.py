"""Plans: totals, ceilings, JSON both ways, and the same plan every time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from ragctx.corpus import Corpus
from ragctx.errors import ConfigError, LimitError
from ragctx.models import Models
from ragctx.questions import Questions
from ragctx.routing import Plan, PlanRow, decide
from ragctx.types import Budget, Estimate, Question, Turn, Where


class Sum(BaseModel):
    amount: float


@pytest.fixture
def plan(corpus: Corpus, priced: Models, two: Mapping[str, Any], data: Path) -> Plan:
    asked = Questions.read(data / "questions.jsonl")[::6]
    return Plan(tuple(PlanRow(q, decide(q, corpus, priced, two)) for q in asked), notes=("hybrid is BM25 alone",))


def test_totals_add_up(plan: Plan) -> None:
    totals, rows = plan.totals, list(plan)
    assert len(plan) == len(rows) == 10
    assert totals.tokens.expected == sum(row.estimate.tokens.expected for row in rows)
    assert totals.calls.high == 10
    assert totals.money.low == pytest.approx(sum(row.estimate.money.low for row in rows))
    assert totals.seconds.low <= totals.seconds.expected <= totals.seconds.high
    assert all(row.rejected and row.rejected[0].rejected for row in rows)


def test_totals_are_unknown_when_one_row_is(plan: Plan, corpus: Corpus, models: Models, two: Mapping[str, Any]) -> None:
    unpriced = PlanRow(Question("What is the rent?"), decide(Question("What is the rent?"), corpus, models, two))
    totals = Plan((*plan.rows, unpriced)).totals
    assert totals.money is None
    assert totals.seconds is None
    assert totals.tokens.expected > plan.totals.tokens.expected


def test_json_both_ways(plan: Plan) -> None:
    text = plan.to_json()
    assert "\n" not in text
    again = Plan.from_json(text)
    assert again == plan
    assert again.to_json() == text
    assert again.frozen_hash == plan.frozen_hash


def test_everything_a_question_carries_survives_but_its_schema_class(
    corpus: Corpus, models: Models, two: Mapping[str, Any]
) -> None:
    question = Question(
        "And the deposit?",
        history=(Turn("user", "What is the rent?"), Turn("assistant", "14,400 pounds")),
        where=Where(("*lease*",), {"year": 2019}, None),
        answer_type=Sum,
        instructions="In pounds.",
        budget=Budget(tokens=9_000, money=None, seconds=4.5),
        answers=("3,600 pounds",),
        kind="single_fact",
        answerable=True,
        metadata={"level": 2, "late": False, "share": 0.5},
    )
    question_without_filter = Question("And the deposit?", answer_type=Sum)
    row = PlanRow(question, decide(question_without_filter, corpus, models, two))
    [again] = Plan.from_json(Plan((row,)).to_json())
    assert again.question == replace(question, answer_type=None)
    assert again.decision == row.decision


def test_planning_twice_gives_the_same_hash(
    plan: Plan, corpus: Corpus, priced: Models, two: Mapping[str, Any], data: Path
) -> None:
    again = Plan(tuple(PlanRow(row.question, decide(row.question, corpus, priced, two)) for row in plan), plan.notes)
    assert again.frozen_hash == plan.frozen_hash
    assert Plan(plan.rows[:-1], plan.notes).frozen_hash != plan.frozen_hash


def test_a_ceiling_for_the_whole_job(plan: Plan, corpus: Corpus, models: Models, two: Mapping[str, Any]) -> None:
    high = plan.totals.money.high
    plan.must_cost_at_most(high)
    with pytest.raises(LimitError) as caught:
        plan.must_cost_at_most(high / 2)
    assert f"{high:,.6g}" in str(caught.value)
    assert f"{high / 2:,.6g}" in str(caught.value)
    unpriced = Plan((PlanRow(plan[0].question, decide(plan[0].question, corpus, models, two)),))
    with pytest.raises(ConfigError, match="needs the price"):
        unpriced.must_cost_at_most(1.0)


def test_a_row_that_nothing_can_read(corpus: Corpus, models: Models, too_long: Any) -> None:
    question = Question("What is the rent?")
    row = PlanRow(question, decide(question, corpus, models, {"full": too_long}, strict=False))
    assert row.estimate == Estimate()
    assert row.rejected[0].rejected == "needs 11,204 tokens, window 8,192"
    assert Plan.from_json(Plan((row,)).to_json()) == Plan((row,))
