"""A second look through the whole pipeline: billed, recorded, never with the shipped policy, never free of the plan."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from pathlib import Path

import pytest

from ragctx import Corpus, Pipeline, Question, assembly
from ragctx.batch import JobStore
from ragctx.readers.scripted import Scripted
from ragctx.routing import Policy, second
from ragctx.work import Failure, Relevances, Rerank

SHIPPED = files("ragctx.routing").joinpath("policy.toml").read_text("utf-8")
MODIFIER = """
[[modifiers]]
name = "a passage answers"
strategy = "retrieve"
signal = "reranker_max"
points = [[0.0, -0.4], [1.0, 0.4]]
"""
FILLER = " ".join(f"Page {n} of the ledger of the harbour notes nothing of interest." for n in range(200))
LEASE = f"{FILLER} The notice period is three months. {FILLER}"
ASKED = Question("What is the notice period?", id="q")


class Ranker(Scripted):
    """Says of every passage that it answers so likely, and needs no sentence or all."""

    def __init__(self, value: float | None) -> None:
        super().__init__(name=f"ranker-{value}")
        self.value = value

    def _reply(self, request):
        if not isinstance(request, Rerank) or request.purpose != second.PURPOSE:
            return super()._reply(request)
        if self.value is None:
            return Failure("bad_request", "down")
        values = (self.value,) * len(request.texts)
        return Relevances(values, keeps=tuple((self.value,) * len(units) for units in request.units), tokens=50)


def looking(margin: float = 0.9) -> Policy:
    return Policy.parse(SHIPPED.replace("\nmargin =", f"\nsecond_look = {margin}\nmargin =", 1) + MODIFIER)


@pytest.fixture
def opened():
    made = []

    def over(value: float | None, policy: Policy | None = None) -> Pipeline:
        reader = Scripted(default="Three months. [1]", window=32768)
        backends = {"reader": reader} | ({"ranker": Ranker(value)} if value != -1 else {})
        ways = assembly.strategies(["full", "retrieve"])
        made.append(Pipeline(Corpus.of(LEASE), backends, strategies=ways, policy=policy or looking()))
        return made[-1]

    yield over
    for pipeline in made:
        pipeline.close()


def looks(usage) -> int:
    return sum(charge.purpose == second.PURPOSE for charge in usage.charges)


@pytest.mark.parametrize(("value", "strategy", "pruned"), [(0.0, "full", 1), (1.0, "retrieve", 0)])
def test_what_was_seen_decides_and_is_billed_and_recorded(opened, value, strategy, pruned) -> None:
    pipeline = opened(value)
    answer = pipeline.ask(ASKED)
    assert (answer.strategy, answer.decision.strategy) == (strategy, strategy)
    assert answer.decision.signals["reranker_max"] == value
    assert answer.decision.signals["all_pruned"] == pruned
    assert second.looked(answer.decision)
    assert "after a second look" in answer.decision.why
    assert looks(answer.usage) == 1
    assert answer.text == "Three months."
    assert asyncio.run(pipeline.aask(ASKED)).strategy == strategy
    *_, done = pipeline.stream(ASKED)
    assert done.answer.strategy == strategy


def test_a_plan_is_free_and_says_that_it_may_follow(opened) -> None:
    pipeline = opened(1.0)
    [row] = pipeline.plan(ASKED)
    assert "a second look decides" in row.decision.why
    assert not second.looked(row.decision)
    assert pipeline.backends["ranker"].calls == []
    assert set(pipeline.ways(row.decision)) == {"full", "retrieve"}


def test_the_shipped_policy_and_a_strategy_by_name_look_once(opened) -> None:
    for answer in (opened(1.0, Policy.load()).ask(ASKED), opened(1.0).ask(ASKED, strategy="full")):
        assert looks(answer.usage) == 0
        assert "reranker_max" not in answer.decision.signals


def test_without_a_ranker_it_is_read_as_decided(opened) -> None:
    pipeline = opened(-1)
    [row] = pipeline.plan(ASKED)
    assert "no model ranks passages" in row.decision.why
    assert pipeline.ask(ASKED).strategy == row.decision.strategy


def test_a_ranker_that_fails_leaves_the_decision_and_a_note(opened) -> None:
    pipeline = opened(None)
    [row] = pipeline.plan(ASKED)
    answer = pipeline.ask(ASKED)
    assert answer.strategy == row.decision.strategy
    assert any("the ranker failed (down)" in note for note in answer.notes)
    assert not second.looked(answer.decision)


def test_a_batch_tells_what_was_read_and_its_rate(opened, tmp_path: Path) -> None:
    pipeline = opened(0.0)
    questions = [ASKED, Question("What does the ledger note?", id="r")]
    rows = list(pipeline.batch(questions, job=tmp_path / "job.sqlite"))
    with JobStore.open(tmp_path / "job.sqlite") as store:
        kept = list(store.results())
    for row in (*rows, *kept):
        assert row.failure is None
        assert row.decision == row.answer.decision
        assert row.answer.strategy == row.decision.strategy
    assert sum(second.looked(row.decision) for row in kept) == 2
    assert {row.id: row.answer.strategy for row in kept}["q"] == "full"


def test_a_jobs_budget_is_not_passed_by_a_second_look(opened, tmp_path: Path) -> None:
    pipeline = opened(0.0)
    cheap = min(c.estimate.tokens.expected for c in pipeline.plan(ASKED).rows[0].decision.candidates)
    [row] = pipeline.batch([ASKED], job=tmp_path / "job.sqlite", total=int(cheap * 1.2))
    assert row.answer.strategy == "retrieve"
    assert looks(row.answer.usage) == 0
