from __future__ import annotations

import csv
import json

import pytest

from ragctx.batch import export
from ragctx.batch.exports import COLUMNS, safe
from ragctx.errors import ConfigError, StoreFull
from ragctx.readers.scripted import Rule
from ragctx.types import Answer, Citation, Question, Span
from ragctx.work import Failure, Generate, Message, ask


def cited(question):
    reply = yield from ask(Generate((Message("user", question.text),)))
    span = Span("a.pdf", 3, 9)
    citations = (Citation(span, "Three months.", "docs/a.pdf", page=2), Citation(span, "Or four.", "b.txt"))
    return Answer(reply.text, citations=citations, answerable=question.id != "q01", confidence=0.5)


@pytest.fixture
def done(bench):
    bench.read = cited
    bench.rules = [
        Rule("What is 0?", '=HYPERLINK("http://evil")'),
        Rule("What is 2?", Failure("bad_request", "+ no such model")),
        Rule("", "Drei Monate, 三个月\nand a line"),
    ]
    with bench.open(bench.questions(4)) as store:
        bench.run(store)
        yield store


def test_jsonl_holds_everything(done, bench):
    path = bench.folder / "out.jsonl"
    told = export(done, path)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert (told.rows, told.failed, told.pending) == (4, 1, 0)
    assert [row["id"] for row in rows] == ["q00", "q01", "q02", "q03"]
    results = list(done.results())
    assert Answer.from_json(json.dumps(rows[3]["answer"])) == results[3].answer
    assert rows[0]["answer"]["text"] == '=HYPERLINK("http://evil")'  # exact: JSON is data
    assert rows[2]["answer"] is None
    assert rows[2]["error"]["name"] == "RequestFailed"
    assert rows[1]["question"]["text"] == "What is 1?"


def test_csv_is_flat_and_safe_for_spreadsheets(done, bench):
    path = bench.folder / "out.csv"
    export(done, path)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert rows[0]["answer"] == '\'=HYPERLINK("http://evil")'
    assert rows[3]["answer"] == "Drei Monate, 三个月\nand a line"
    assert rows[1]["answerable"] == "no"
    assert rows[3]["citations"] == "Three months. | Or four."
    assert rows[3]["sources"] == "docs/a.pdf p. 2 | b.txt"
    assert int(rows[3]["prompt_tokens"]) > 0
    assert (rows[2]["error"], rows[2]["message"], rows[2]["answer"]) == ("RequestFailed", "'+ no such model", "")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\n=x", " =1", "＝1", "\ufeff=1"])
def test_what_may_begin_a_formula_is_guarded(text):
    assert safe(text) == "'" + text


@pytest.mark.parametrize("value", ["plain", "a=b", "", None, -1, -1.5, "3 - 4"])
def test_what_cannot_is_left_alone(value):
    assert safe(value) == value


def test_rows_still_to_be_asked_are_counted_and_not_written(bench):
    with bench.open() as store:
        bench.run(store, stop_after=5)
        told = export(store, bench.folder / "out.jsonl")
    assert (told.rows, told.pending) == (5, 7)


def test_an_export_is_whole_or_not_there(done, bench, monkeypatch):
    path = bench.folder / "out.jsonl"
    path.write_text("the export of yesterday")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ragctx.batch.exports.os.fsync", full)
    with pytest.raises(StoreFull, match="No space left"):
        export(done, path)
    assert path.read_text() == "the export of yesterday"
    assert sorted(p.name for p in bench.folder.iterdir() if "out" in p.name) == ["out.jsonl"]


def test_unknown_formats_and_folders_are_told(done, bench):
    with pytest.raises(ConfigError, match="use jsonl"):
        export(done, bench.folder / "x", format="xlsx")
    with pytest.raises(ConfigError, match="no folder"):
        export(done, bench.folder / "nowhere" / "x.csv")


def test_the_format_can_be_named(done, bench):
    path = bench.folder / "table.txt"
    export(done, path, format="csv")
    assert path.read_text(encoding="utf-8").startswith("id,question,")


def test_a_question_with_its_fields_is_exported(bench):
    with bench.open([Question("Why?", id="w", answers=("so",), kind="fact", metadata={"n": 1})]) as store:
        bench.run(store)
        export(store, bench.folder / "o.jsonl")
    [row] = [json.loads(line) for line in (bench.folder / "o.jsonl").read_text().splitlines()]
    assert (row["question"]["answers"], row["question"]["kind"], row["question"]["metadata"]) == (
        ["so"],
        "fact",
        {"n": 1},
    )
