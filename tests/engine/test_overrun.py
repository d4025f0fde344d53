"""A budget that was exceeded all the same is told, in an answer and in the rows of a batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragctx import Budget, Corpus, Pipeline
from ragctx.engine import overrun
from ragctx.models import ModelFacts, Models
from ragctx.readers.scripted import Rule, Scripted, WordCounter
from ragctx.types import Charge, Prices, Usage

USAGE = Usage((Charge("reader", "answer", "far", prompt=8_500, output=25, money=0.5),))


@pytest.mark.parametrize(
    "budget", [None, Budget(), Budget(tokens=8_525), Budget(money=0.5), Budget(calls=1, seconds=1)]
)
def test_a_budget_that_was_kept_needs_no_word(budget: Budget | None) -> None:
    assert overrun(budget, USAGE, Models({"reader": ModelFacts("far")})) == ()


def test_estimates_are_named() -> None:
    [note] = overrun(Budget(tokens=1_500), USAGE, Models({"reader": ModelFacts("far")}))
    assert note == "the budget of 1,500 tokens was exceeded: 8,525 were billed; the counter of far is an estimate"
    [note] = overrun(Budget(money=0.1), USAGE, Models({"reader": ModelFacts("far")}))
    assert note.startswith("the budget of 0.1 in money was exceeded: 0.5 were billed; ")


def test_an_exact_counter_is_not_blamed() -> None:
    [note] = overrun(Budget(tokens=1_500), USAGE, Models({"reader": ModelFacts("far", WordCounter())}))
    assert note.endswith("; far billed more than it was asked to write, or counts otherwise")


def test_ask_and_batch_say_the_same(tmp_path: Path) -> None:
    reader = Scripted([Rule("", "Three months. [1]", prompt_tokens=8_500)], prices=Prices(1, 1))
    with Pipeline(Corpus.of("The notice period is three months."), {"reader": reader}) as pipeline:
        answer = pipeline.ask("What is the notice period?", budget=1_500, strategy="full")
        [row] = pipeline.batch(["What is the notice?"], job=tmp_path / "j.sqlite", budget=1_500, strategy="full")
    assert row.answer is not None
    for notes in (answer.notes, row.answer.notes):
        assert any("the budget of 1,500 tokens was exceeded: 8,5" in note for note in notes)
