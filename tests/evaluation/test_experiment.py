from __future__ import annotations

from pathlib import Path

import pytest

from ragctx.errors import ConfigError, InputError
from ragctx.evaluation.datasets import Example
from ragctx.evaluation.experiment import Experiment
from ragctx.evaluation.results import Evaluation, ScoredRow
from ragctx.readers.scripted import Rule, Scripted
from ragctx.types import Document, Question
from ragctx.work import Failure

BARE = {"encoder": None, "ranker": None, "scorer": None}


def example(name: str, text: str, answer: str, *, document: str = "", **changes: object) -> Example:
    asked = Question(f"What of {name}?", id=name, answers=(answer,), kind="fact", **changes)
    return Example(asked, (Document(document or f"doc [{name}]*", text),), (), name)


EXAMPLES = (example("keys", "Orla keeps the keys.", "Orla"), example("rent", "Rent is 900 crowns.", "900 crowns"))


def echo(request) -> str:
    return request.messages[-1].content


def experiment(folder: Path, reader: object = None, **changes: object) -> Experiment:
    reader = reader or Scripted([Rule("Orla keeps", "Orla. [1]")], default="I see no such thing. [1]")
    wanted = {"strategies": ("full",), "readers": {"scripted": reader}, "options": BARE} | changes
    return Experiment(wanted.pop("examples", EXAMPLES), folder, **wanted)


def test_every_question_reads_its_own_documents_only(tmp_path: Path) -> None:
    seen: list[str] = []

    def say(request) -> str:
        seen.append(echo(request))
        return "Orla. [1]"

    found = experiment(tmp_path, Scripted(default=say)).run()
    assert [row.score for row in found.rows] == [1.0, 0.0]
    assert len(seen) == 2
    for prompt in seen:
        assert ("Orla keeps" in prompt) != ("900 crowns" in prompt)


def test_failures_are_rows_and_cost_what_they_cost(tmp_path: Path) -> None:
    reader = Scripted([Rule("900", Failure("refused", "no"))], default="Orla. [1]")
    keys, rent = experiment(tmp_path, reader).run().rows
    assert (keys.score, keys.failure, keys.calls) == (1.0, "", 1)
    assert (rent.score, rent.failure) == (0.0, "RequestFailed: no")
    assert keys.tokens == pytest.approx(keys.expected, rel=1)


def test_it_goes_on_where_it_was_left_and_asks_nothing_twice(tmp_path: Path) -> None:
    calls: list[str] = []

    def say(request) -> str:
        calls.append(echo(request))
        return "Orla. [1]"

    class Enough(Exception):
        pass

    def stop(event: object) -> None:
        if getattr(event, "finished", 0) == 1:
            raise Enough

    with pytest.raises(Enough):
        experiment(tmp_path, Scripted(default=say)).run(stop)
    first = experiment(tmp_path, Scripted(default=say)).run()
    asked = list(calls)
    again = experiment(tmp_path, Scripted(default=say)).run()
    assert first == again
    assert calls == asked  # a third run finds everything done
    assert len(set(calls)) == 2
    assert len(calls) <= 3  # what was under way when it was stopped is asked again, what was finished is not


def test_arms_do_not_live_on_each_others_replies(tmp_path: Path) -> None:
    reader = Scripted(default="Orla. [1]")
    found = experiment(tmp_path, readers={"one": reader, "two": Scripted(default="Orla. [1]")}).run()
    assert [row.reader for row in found.rows] == ["one", "one", "two", "two"]
    assert all(row.tokens > 0 and row.calls == 1 for row in found.rows)


def test_bad_experiments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one of each"):
        experiment(tmp_path, strategies=())
    with pytest.raises(InputError, match="question bare has no answers"):
        experiment(tmp_path, metric="squad-f1", examples=(Example(Question("x", id="bare"), (), (), "g"),))
    two = (example("a", "one", "x", document="d"), example("b", "two", "x", document="d"))
    with pytest.raises(InputError, match="two documents are called 'd'"):
        experiment(tmp_path, examples=two).run()
    with pytest.raises(ConfigError, match="bring no documents"):
        experiment(tmp_path, examples=(Example(Question("x", answers=("y",)), (), (), "g"),)).run()


def row(question: str, strategy: str, score: float, **changes: object) -> ScoredRow:
    return ScoredRow(question, "?", question, "fact", "m", strategy, strategy, "squad-f1", score, **changes)


def test_sums_by_hand() -> None:
    rows = (
        row("a", "full", 1.0, tokens=100, expected=90.0, low=80.0, high=95.0, predicted=0.9),
        row("b", "full", 0.0, tokens=300, failure="E: x", expected=90.0, low=0.0, high=400.0),
        row("a", "retrieve", 0.5, tokens=10, expected=10.0, low=5.0, high=15.0, predicted=0.7),
        row("b", "retrieve", 0.5, tokens=30),
    )
    found = Evaluation("t", rows)
    full, retrieve = found.summaries()
    assert (full.score, full.tokens, full.failed, full.money) == (0.5, 200, 1, None)
    assert (retrieve.score, retrieve.low, retrieve.high) == (0.5, 0.5, 0.5)
    [one] = found.against("full")
    assert (one.strategy, one.comparison.difference, one.comparison.failures, one.token_share) == (
        "retrieve",
        0.0,
        1,
        0.1,
    )
    assert found.plan_error == pytest.approx((10 / 90 + 0) / 2)
    assert found.plan_held == 0.5
    assert found.calibration_error == pytest.approx((0.1 + 0.2) / 2)
    with pytest.raises(ConfigError, match="name one of full, retrieve"):
        found.against("ful")
    assert Evaluation.from_json(found.to_json()) == found
