from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ragctx.batch import JobStore, RowResult, open_job, run_job
from ragctx.engine import Engine, Job
from ragctx.engine.retries import Backoff
from ragctx.readers.scripted import Rule, ScriptedRemote
from ragctx.routing import Plan, PlanRow
from ragctx.types import Answer, Candidate, Decision, Estimate, Prices, Question
from ragctx.types.costs import Range
from ragctx.work import Generate, Message, Sampling, Work

PRICES = Prices(1e6, 1e6)  # one unit of money a token
CONFIGURATION = {"reader": "scripted", "budget": None}


def steps(question: Question) -> Work[Answer]:
    """Three calls: one, then two at once of which one is sampled."""
    [draft] = yield [_request(f"draft {question.text}", "draft")]
    a, b = yield [
        _request(f"half {draft.text}", "half"),
        replace(_request(f"other half {draft.text}", "half"), sampling=Sampling(temperature=0.7)),
    ]
    return Answer(f"{a.text} / {b.text}", answerable="decline" not in question.text)


def _request(text: str, purpose: str) -> Generate:
    return Generate((Message("user", text),), purpose=purpose)


@dataclass
class Bench:
    """A small job on a scripted reader, and what is needed to run it."""

    folder: Path
    rules: Sequence[Rule] = ()
    prices: Prices | None = PRICES
    read: Callable[[Question], Work[Answer]] = steps
    configuration: dict[str, object] = field(default_factory=lambda: dict(CONFIGURATION))
    manifest: str = "corpus-1"
    readers: list[ScriptedRemote] = field(default_factory=list)
    in_flight: int = 8

    @property
    def path(self) -> Path:
        return self.folder / "job.sqlite"

    @property
    def calls(self) -> int:
        """Calls that reached the model, over every engine of this bench."""
        return sum(len(reader.calls) for reader in self.readers)

    def questions(self, count: int = 12) -> list[Question]:
        return [Question(f"What is {number}?", id=f"q{number:02}") for number in range(count)]

    def plan(self, questions: Sequence[Question], money: float | None = 60.0, notes: tuple[str, ...] = ()) -> Plan:
        estimate = Estimate.exactly(prompt=30, output=(20, 30, 40), calls=3)
        priced = replace(estimate, money=None if money is None else Range.exactly(money))
        decision = Decision("steps", "the only one", candidates=(Candidate("steps", priced, 0.9, 1.0, 0.9),))
        return Plan(tuple(PlanRow(question, decision) for question in questions), notes=notes)

    def open(self, questions: Sequence[Question] | None = None, **plan: Any) -> JobStore:
        asked = self.questions() if questions is None else questions
        return open_job(
            self.path,
            questions=asked,
            configuration=self.configuration,
            manifest=self.manifest,
            plan=lambda: self.plan(asked, **plan),
        )

    @contextmanager
    def engine(self, store: JobStore) -> Iterator[Engine]:
        reader = ScriptedRemote(self.rules, prices=self.prices)
        self.readers.append(reader)
        backoff = Backoff(initial=0.001, longest=0.001, jitter=0)
        with Engine(
            {"reader": reader}, store=store.replies, in_flight=self.in_flight, attempts=2, backoff=backoff
        ) as engine:
            yield engine

    def make_job(self, question: Question, decision: Decision) -> Job[Answer]:
        return Job(question.id, start=lambda: self.read(question), budget=question.budget)

    def run(self, store: JobStore, stop_after: int | None = None, **options: Any) -> list[RowResult]:
        """Results of one run, which is left early after so many rows."""
        results: list[RowResult] = []
        with self.engine(store) as engine:
            running = run_job(store, engine, self.make_job, **options)
            for result in running:
                results.append(result)
                if len(results) == stop_after:
                    running.close()  # type: ignore[attr-defined]
                    break
        return results


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def another(tmp_path: Path) -> Bench:
    folder = tmp_path / "another"
    folder.mkdir()
    return Bench(folder)


def ledger(store: JobStore) -> dict[str, list[tuple[object, ...]]]:
    """What each row was billed, without what differs from run to run."""
    return {
        result.id: sorted((c.role, c.purpose, c.model, c.prompt, c.output, c.money, c.replayed) for c in charges)
        for result in store.results()
        if result.answer is not None
        for charges in [result.answer.usage.charges]
    }


@pytest.fixture(name="ledger")
def _ledger() -> Callable[[JobStore], dict[str, list[tuple[object, ...]]]]:
    return ledger
