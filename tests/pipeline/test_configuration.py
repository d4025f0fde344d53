"""What a job freezes of its strategies is the same in every process, and another for another strategy."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from ragctx import Corpus, Pipeline, assembly
from ragctx.described import described
from ragctx.prompts import Templates
from ragctx.readers.scripted import Scripted
from ragctx.strategies import Full, Retrieve
from ragctx.types import Answer, Estimate, Question
from ragctx.work import Work

Size = Enum("Size", {"SMALL": 1})


class Ordinary:
    """A strategy that is no dataclass: its repr holds its address in memory."""

    name = "ordinary"

    def __init__(self, length: int = 3) -> None:
        self.length = length

    def estimate(self, question: Question, corpus: Corpus, models: object) -> Estimate:
        return Estimate.exactly(prompt=1, output=(1, 1, 1))

    def read(self, question: Question, corpus: Corpus, models: object) -> Work[Answer]:
        return Answer("Three months.")
        yield []


@dataclass
class Mine:
    size: Size = Size.SMALL
    folder: Path = Path("a")
    parts: frozenset[str] = frozenset({"x", "y", "z"})
    templates: Templates = field(default_factory=lambda: Templates.of({}))
    seen: dict[str, int] = field(default_factory=dict, compare=False)


def configured(strategy: object) -> object:
    with Pipeline(Corpus.of("text"), {"reader": Scripted()}, strategies={"s": strategy}) as pipeline:  # type: ignore[dict-item]
        return pipeline.configuration()["strategies"]


def test_ordinary_objects_are_known_by_class_and_name() -> None:
    assert configured(Ordinary()) == configured(Ordinary(length=9)) == {
        "s": {"class": f"{Ordinary.__module__}.Ordinary", "name": "ordinary"}
    }  # fmt: skip


def test_a_job_of_an_ordinary_strategy_goes_on(tmp_path: Path) -> None:
    def rows() -> Iterator[object]:
        with Pipeline(Corpus.of("text"), {"reader": Scripted()}, strategies={"s": Ordinary()}) as pipeline:
            yield from pipeline.batch(["a?", "b?"], job=tmp_path / "j.sqlite", strategy="s")

    assert (len(list(rows())), list(rows())) == (2, [])


def test_every_field_of_a_dataclass_counts() -> None:
    found = {json.dumps(configured(s), sort_keys=True) for s in (Retrieve(), Retrieve(tokens=99), Full(), Mine())}
    assert len(found) == 4
    assert described(Mine(seen={"a": 1})) == described(Mine())
    assert described(Mine(templates=Templates.of({"refusal": "No."}))) != described(Mine())
    assert described(Mine()) | {"class": "", "templates": ""} == {
        "class": "", "size": "SMALL", "folder": "a", "parts": ["x", "y", "z"], "templates": ""
    }  # fmt: skip


def test_it_is_the_same_in_every_process() -> None:
    code = (
        "import json; from ragctx.described import described; from ragctx.strategies import Retrieve;"
        "print(json.dumps(described([Retrieve(), {'b', 'a', 'c'}, object(), len, Retrieve])))"
    )
    said = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(3)}
    assert len(said) == 1


def test_one_strategy_may_be_named_alone() -> None:
    assert list(assembly.strategies("full")) == list(assembly.strategies(["full"])) == ["full"]
