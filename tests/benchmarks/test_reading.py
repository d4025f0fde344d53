"""Reading with several calls: which rows are asked, jobs that go on, failures that count, figures of a few rows."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT)]

import reading  # noqa: E402
import reading_jobs  # noqa: E402
import reading_rows  # noqa: E402
import reading_table  # noqa: E402

from ragctx import Pipeline  # noqa: E402
from ragctx.corpus import Corpus  # noqa: E402
from ragctx.readers.scripted import Scripted  # noqa: E402
from ragctx.types import Answer, Question  # noqa: E402

WAYS = ["full", "retrieve", "summarise"]


@pytest.fixture
def pipeline() -> Iterator[Pipeline]:
    model = Scripted(default="The mayor is Ada Roke3.")
    with Pipeline(Corpus.of("Nothing yet."), {"reader": model}) as made:
        yield made


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two sets: stories with files of their own, and tables with short texts."""
    stories, tables = tmp_path / "sets" / "fairytaleqa", tmp_path / "sets" / "tatqa"
    (stories / "documents").mkdir(parents=True)
    tables.mkdir()
    told = []
    for number in range(6):
        text = f"The mayor is Ada Roke{number}. " + "The river runs past the mill and the old town wall. " * 40
        (stories / "documents" / f"{number}.txt").write_text(text)
        row = {"id": f"{number}", "question": f"Who is mayor {number}?", "answers": [f"Ada Roke{number}"]}
        told.append(row | {"document_path": f"documents/{number}.txt", "group": f"{number}", "task": "story_local"})
    (stories / "normalized.jsonl").write_text("".join(json.dumps(row) + "\n" for row in told))
    rows = [
        {"id": f"{n}", "question": f"How much is {n}?", "answers": [f"{n},000 crowns"], "group": f"{n}", "task": "t",
         "contexts": [{"title": f"T{n}", "text": f"Revenue of {n} is {n},000 crowns. " * 30}]}
        for n in range(6)
    ]  # fmt: skip
    (tables / "normalized.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "sets"


def wanted(*given: str):
    return reading.options(["--ways", *WAYS, *given])


def test_rows_have_the_wanted_length_and_read_their_own_texts(data: Path) -> None:
    chosen = reading_rows.of_data(data, 4, (300, 6000), ["fairytaleqa", "tatqa", "not there"])
    assert [question.kind for question in chosen.questions].count("tatqa") == 2
    assert {question.kind for question in chosen.questions} == {"fairytaleqa local", "tatqa"}
    corpus = Corpus.over(*chosen.documents)
    for question in chosen.questions:
        view = corpus.select(question.where)
        assert 300 * 4 <= view.characters <= 6000 * 4.5
        assert any(answer in document.text[:] for document in view for answer in question.answers)
    assert chosen == reading_rows.of_data(data, 4, (300, 6000), ["fairytaleqa", "tatqa", "not there"])
    assert not reading_rows.of_data(data, 4, (90_000, 100_000)).questions


def test_example_questions_read_the_documents_that_they_name() -> None:
    chosen = reading_rows.of_examples()
    assert len(chosen.questions) == 24
    corpus = Corpus.over(*chosen.documents)
    assert all(len(corpus.select(question.where)) for question in chosen.questions)
    assert len(reading_rows.of_examples(1).questions) == 6


def test_a_job_that_is_done_is_only_read(data: Path, pipeline: Pipeline, tmp_path: Path) -> None:
    chosen = reading_rows.of_data(data, 4, (300, 6000))
    first = reading._read("data", chosen, wanted(), pipeline, tmp_path, math.inf)
    calls = len(pipeline.backends["reader"].calls)  # type: ignore[attr-defined]
    assert reading._read("data", chosen, wanted(), pipeline, tmp_path, math.inf) == first
    assert len(pipeline.backends["reader"].calls) == calls > 0  # type: ignore[attr-defined]
    assert len(first) == len(WAYS) * len(chosen.questions)
    assert all(row.tokens and row.calls and row.expected for row in first)
    assert all(row.score > 0.5 for row in first if row.question == "fairytaleqa/3")


def requests(pipeline: Pipeline) -> int:
    """How many the reader was sent."""
    return sum(map(len, pipeline.backends["reader"].calls))  # type: ignore[attr-defined]


def test_rows_that_are_kept_are_asked_nowhere_again(data: Path, pipeline: Pipeline, tmp_path: Path) -> None:
    chosen = reading_rows.of_data(data, 4, (300, 6000))
    asking = wanted("--portion", "3", "--kept", str(tmp_path / "kept.jsonl"))
    first = reading._read("data", chosen, asking, pipeline, tmp_path / "here", math.inf)
    calls = requests(pipeline)
    done = reading._read("data", chosen, asked_before(asking), pipeline, tmp_path / "never", math.inf)
    assert done == first
    again = reading._read("data", chosen, asking, pipeline, tmp_path / "elsewhere", math.inf)
    assert again == first
    assert requests(pipeline) == calls > 0
    assert len(first) == len(WAYS) * 4
    assert {row.strategy for row in first[:3]} == {"full"}, "three rows of the first strategy, then of the next"
    told = (tmp_path / "kept.jsonl").read_text("utf-8")
    assert "Ada Roke" not in told, "numbers and ids, no texts"
    other = [line.replace('{"reader": "', '{"reader": "another ') for line in told.splitlines()]
    (tmp_path / "kept.jsonl").write_text("\n".join(other) + "\n")
    none = reading._read("data", chosen, asked_before(asking), pipeline, tmp_path / "never", math.inf)
    assert none == []
    reading._read("data", chosen, asking, pipeline, tmp_path / "third", math.inf)
    assert requests(pipeline) == 2 * calls


def asked_before(asking: argparse.Namespace) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(asking), "finished": True})


def test_a_run_that_was_stopped_goes_on(data: Path, pipeline: Pipeline, tmp_path: Path) -> None:
    chosen = reading_rows.of_data(data, 4, (300, 6000))
    way = ("full", reading_jobs.ways(["full"])["full"])
    corpus = Corpus.over(*chosen.documents)
    some = reading_jobs.asked(pipeline, corpus, way, chosen.questions, tmp_path / "j.sqlite", until=0)
    assert 1 <= len(some) <= 4
    assert len(reading_jobs.asked(pipeline, corpus, way, chosen.questions, tmp_path / "j.sqlite")) == 4


def test_a_strategy_that_cannot_read_is_failed_rows(data: Path, tmp_path: Path) -> None:
    chosen = reading_rows.of_data(data, 2, (300, 6000))
    with Pipeline(Corpus.of("Nothing."), {"reader": Scripted(default="Ada.", window=300)}) as small:
        made = reading._read("data", chosen, wanted(), small, tmp_path, math.inf)
    full = [row for row in made if row.strategy == "full"]
    assert len(full) == 2
    assert all(row.failure for row in full)
    told = reading.figures(made)
    assert told["by_strategy"]["full"] | {"rows": 2, "failed": 2, "score": 0.0} == told["by_strategy"]["full"]
    assert sum(told["failures"]["full"].values()) == 2


def test_figures_of_rows() -> None:
    made = [
        reading_jobs.Row("new", "data", "1", "k", 1.0, True, False, 100, 120, 3, 1.0, 110, 50, 200),
        reading_jobs.Row("new", "data", "2", "k", 0.0, False, False, 100, 120, 5, 1.0, 300, 200, 900),
        reading_jobs.Row("new", "data", "3", "other", failure="DoesNotFit: 400 tokens"),
    ]
    told = reading.figures(made)
    assert (told["strategies"], told["estimate_error"], told["estimate_held"]) == (1, pytest.approx(1.05), 0.5)
    assert told["estimate_width"] == 4.5
    assert told["score_by_kind"] == {"new": {"k": 0.5, "other": 0.0}}
    assert told["calls_by_kind"] == {"new": {"k": 4}}
    assert told["by_part"] == {"data": told["by_strategy"]}
    assert told["failures"] == {"new": {"DoesNotFit: ### tokens": 1}}
    page = "\n".join(reading_table.lines({"date": "2030-01-01", "command": "c", **told}))
    assert "| new | 3 | 1 | 0.333 | 120 | 4.000 |" in page


def test_scores_are_right_or_wrong_where_the_question_says_and_f1_elsewhere() -> None:
    assert reading_jobs.scored(Question("Who?", "q1", answers=("Ada Roke",)), Answer("It is Ada Roke.")) == 1.0
    assert reading_jobs.scored(Question("Who?", "s/1", answers=("Ada Roke",)), Answer("Ada")) == pytest.approx(0.6667)
    assert reading_jobs.scored(Question("Who?", "s/1", answerable=False), Answer("No.", answerable=False)) == 1.0


def test_the_clustered_part_asks_through_the_engine(tmp_path: Path) -> None:
    model = Scripted(default="Buyers like it.")
    with Pipeline(Corpus.of("Nothing yet."), {"reader": model, "encoder": model}) as made:
        told = reading._clustered(wanted("--quick"), made, tmp_path, math.inf)
    assert told["clustered_token_reduction"] > 0.46
    assert told["clustered"]["once"] > 0
    page = "\n".join(reading_table.lines({"date": "2030-01-01", "command": "c", **told}))
    assert f"once | {told['clustered']['once']:,} |" in page
