"""Answers, plans and statuses of every shape, ordinary and odd."""

from __future__ import annotations

import io

import pytest

from ragctx.batch import Status
from ragctx.batch.results import RowFailure, RowResult, Spent
from ragctx.routing import Plan, PlanRow
from ragctx.types import (
    Answer,
    Candidate,
    Charge,
    Citation,
    Coverage,
    Decision,
    Dropped,
    Estimate,
    Question,
    Range,
    Span,
    Usage,
)
from ragctx.views.text import console

HOSTILE = '[red]x[/red] <script>alert(1)</script> & \x1b[31m\u202e"quoted"\' {0} %s\nsecond line'


def charge(**changes):
    facts = {"role": "reader", "purpose": "answer", "model": "local:m", "prompt": 2000, "output": 40, "cached": 500}
    return Charge(**facts | {"seconds": 1.25, "money": 0.00042} | changes)


def full_answer(text: str = "Three months.") -> Answer:
    estimate = Estimate.exactly(prompt=2000, output=(1, 60, 120))
    candidates = (
        Candidate("retrieve", estimate, 0.8, 0.2, 0.78),
        Candidate("full", Estimate.exactly(prompt=12_000, output=(1, 60, 120)), 0.7, 1.0, 0.65, text),
    )
    return Answer(
        text,
        question="q1",
        strategy="retrieve",
        citations=(Citation(Span(text, 0, 5), text, text, page=3),),
        unverified=2,
        usage=Usage((charge(), charge(model=text, money=None))),
        decision=Decision("retrieve", text, {"words": 7.0, text: 0.12345, "big": 2e20}, candidates, "table:abc", 0.1),
        coverage=(Coverage(text, 50, 100), Coverage("other.md", 0, 10)),
        dropped=tuple(Dropped(Span(text, n, n + 5), text) for n in range(30)),
        notes=(text,),
    )


ANSWERS = {
    "whole": full_answer(),
    "hostile": full_answer(HOSTILE),
    "bare": Answer(""),
    "declined": Answer("Not in the documents.", answerable=False, strategy="full"),
    "no decision": Answer("Yes.", strategy="full", coverage=(Coverage("empty.md", 0, 0),)),
    "named strategy": Answer("Yes.", strategy="full", decision=Decision("full", "named by the user")),
    "long": Answer("word " * 5000, strategy="full"),
    "wide": Answer("通知期间为三个月。" * 40, strategy="full"),
}
DECIDED = full_answer().decision
PLANS = {
    "none": Plan(()),
    "one": Plan((PlanRow(Question("What is the notice period?"), DECIDED),)),
    "hostile": Plan(tuple(PlanRow(Question(HOSTILE, id=str(n)), full_answer(HOSTILE).decision) for n in range(3))),
    "unreadable": Plan((PlanRow(Question("Why?"), Decision("", "full needs 9,000 tokens")),), notes=("no encoder",)),
}
STATUSES = {
    "empty": Status(0, 0, 0, 0),
    "half": Status(10, 5, 2, 1, spent=Spent(1000, 50, 6, 9.5, 0.01), failures={HOSTILE: 1}, stopped=HOSTILE),
    "held": Status(2, 2, 0, 0, expected={"tokens": 100.0}, actual={"tokens": 110.0}),
}
ROWS = {
    "answered": RowResult(0, Question("Why?"), DECIDED, full_answer()),
    "hostile": RowResult(1, Question(HOSTILE), full_answer(HOSTILE).decision, full_answer(HOSTILE)),
    "failed": RowResult(2, Question("Why?"), DECIDED, failure=RowFailure("RequestFailed", HOSTILE)),
    "neither": RowResult(3, Question("Why?"), Decision("", "")),
}
SPREAD = Range(1000, 1200, 2000)


@pytest.fixture
def printed():
    """What a view looks like on a terminal of some width."""

    def render(view: object, width: int = 80) -> str:
        file = io.StringIO()
        console(file=file, width=width).print(view)
        return file.getvalue()

    return render


@pytest.fixture
def answers():
    return ANSWERS


@pytest.fixture
def plans():
    return PLANS


@pytest.fixture
def statuses():
    return STATUSES


@pytest.fixture
def rows():
    return ROWS


@pytest.fixture
def hostile():
    return HOSTILE
