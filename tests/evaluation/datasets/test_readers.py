from __future__ import annotations

import json
from pathlib import Path

import pytest

from ragctx.errors import InputError, UnknownName
from ragctx.evaluation.datasets import FORMATS, read
from ragctx.types import Span

CONTEXT = "Orla Finch keeps the keys."


def rows(path: Path, *values: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values), "utf-8")
    return path


def squad_file(path: Path, **changes: object) -> Path:
    qa = {"id": "1", "question": "Who?", "answers": [{"text": "Orla", "answer_start": 0}] * 2} | changes
    kept = {name: value for name, value in qa.items() if value is not ...}
    return rows(path, {"data": [{"title": "Keys", "paragraphs": [{"context": CONTEXT, "qas": [kept]}]}]})


def refused(named: str) -> str:
    with pytest.raises(InputError) as raised:
        list(read(named))
    return str(raised.value)


def test_own_rows(tmp_path: Path) -> None:
    path = rows(
        tmp_path / "q.jsonl",
        {"id": 7, "question": "Quién?", "answers": "Orla", "document": CONTEXT, "group": "g", "metric": "squad-em"},
        {"question": "Who?", "answers": ["Orla"], "contexts": [{"title": "t", "text": CONTEXT}], "kind": "fact"},
        {"question": "And?", "answerable": False},
    )
    one, two, three = read(path)
    assert (one.question.id, one.group, one.metric, one.documents[0].text) == ("7", "g", "squad-em", CONTEXT)
    assert (two.documents[0].title, two.question.kind) == ("t", "fact")
    assert (three.documents, three.question.answerable) == ((), False)


def test_squad_1_and_2(tmp_path: Path) -> None:
    [one] = read(f"squad:{squad_file(tmp_path / 'dev.json')}")
    assert (one.question.answers, one.gold, one.group) == (("Orla",), (Span("Keys#0", 0, 4),), "Keys")
    assert one.metric == "squad-f1"
    [none] = read(f"squad:{squad_file(tmp_path / 'dev2.json', answers=[], is_impossible=True)}")
    assert (none.question.answerable, none.question.answers) == (False, ())


def test_longbench(tmp_path: Path) -> None:
    base = {"context": CONTEXT, "answers": ["Orla"], "all_classes": None}
    path = rows(
        tmp_path / "lb.jsonl",
        base | {"input": "Who?", "dataset": "hotpotqa_e", "_id": "a"},
        base | {"input": "", "dataset": "gov_report", "_id": "b"},
        base | {"input": "What?", "dataset": "trec", "all_classes": ["Food", "City"], "_id": "c"},
    )
    found = list(read(f"longbench:{path}"))
    assert [one.metric for one in found] == ["longbench-f1", "longbench-rouge-l", "longbench-classification"]
    assert found[2].question.metadata["classes"] == "Food\nCity"
    assert found[1].question.text


def test_leval(tmp_path: Path) -> None:
    row = {"input": CONTEXT, "instructions": ["Who?", "What?"], "outputs": ["A", "B"], "evaluation": "exam"}
    found = list(read(f"leval:{rows(tmp_path / 'quality.jsonl', row)}"))
    assert [(one.question.id, one.question.answers, one.metric) for one in found] == [
        ("quality-0-0", ("A",), "leval-option"),
        ("quality-0-1", ("B",), "leval-option"),
    ]
    assert "1 answers for 2" in refused(f"leval:{rows(tmp_path / 'x.jsonl', row | {'outputs': ['A']})}")


def test_lara(tmp_path: Path) -> None:
    (tmp_path / "32k" / "book").mkdir(parents=True)
    (tmp_path / "32k" / "book" / "a.txt").write_text(CONTEXT, "utf-8")
    row = {"question": "Who?", "answer": "Orla", "file": "a.txt", "type": "location"}
    [one] = read(f"lara:{rows(tmp_path / 'query' / '32k_book_location.jsonl', row)}")
    assert (one.documents[0].text, one.group, one.question.answers) == (CONTEXT, "32k/book/a.txt", ("Orla",))
    [none] = read(f"lara:{rows(tmp_path / 'query' / '32k_book_hallu.jsonl', row | {'type': 'hallu'})}")
    assert (none.question.answerable, none.question.answers) == (False, ())
    leaving = rows(tmp_path / "query" / "32k_book_comp.jsonl", row | {"file": "../../secret"})
    assert "field 'file'" in refused(f"lara:{leaving}")


def test_ruler(tmp_path: Path) -> None:
    row = {"index": 0, "input": f"Remember.\n{CONTEXT}\nWho keeps them?", "outputs": ["Orla"], "length": 9}
    [one] = read(f"ruler:{rows(tmp_path / 'niah_single_1' / 'validation.jsonl', row)}")
    assert (one.question.text, one.documents[0].text) == ("Who keeps them?", f"Remember.\n{CONTEXT}")
    assert (one.metric, one.question.kind) == ("ruler-all", "niah_single_1")
    [one] = read(f"ruler:{rows(tmp_path / 'qa_1' / 'validation.jsonl', row)}")
    assert one.metric == "ruler-any"
    assert "field 'input'" in refused(f"ruler:{rows(tmp_path / 'vt' / 'v.jsonl', row | {'input': 'one line'})}")


def beir_folder(root: Path, judged: str = "query-id\tcorpus-id\tscore\nq1\td2\t1\nq1\td1\t0\n") -> Path:
    rows(root / "corpus.jsonl", {"_id": "d1", "title": "", "text": "No."}, {"_id": "d2", "title": "t", "text": CONTEXT})
    rows(root / "queries.jsonl", {"_id": "q1", "text": "Who?"})
    (root / "qrels").mkdir(exist_ok=True)
    (root / "qrels" / "test.tsv").write_text(judged, "utf-8")
    return root


def test_beir_and_triples(tmp_path: Path) -> None:
    [one] = read(f"beir:{beir_folder(tmp_path / 'b')}")
    assert (len(one.documents), one.gold) == (2, (Span("d2", 0, len(CONTEXT)),))
    wrong = beir_folder(tmp_path / "c", "q1\td9\t1")
    assert "no document 'd9'" in refused(f"beir:{wrong}")
    path = rows(tmp_path / "t.tsv", f"Who?\t{CONTEXT}\tNo.", "What?\tKeys.\tNo.")
    found = list(read(f"triples:{path}"))
    assert [one.question.id for one in found] == ["t-1", "t-2"]
    assert found[0].documents[0].text == CONTEXT


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"question": ...}, "field 'question': is missing"),
        ({"question": " "}, "field 'question': is empty"),
        ({"id": [1]}, "field 'id': must be text, not list"),
        ({"answers": "Orla"}, "field 'answers': must be a list, not str"),
        ({"answers": []}, "field 'answers': is empty"),
        (
            {"answers": [{"text": "Orla", "answer_start": 3}]},
            "field 'answer_start': 3 is not where the text says",
        ),
        ({"answers": [{"text": "Orla", "answer_start": -1}]}, "field 'answer_start': must be a whole number"),
    ],
)
def test_bad_fields_are_named_with_file_and_row(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    path = squad_file(tmp_path / "dev.json", **changes)
    message = refused(f"squad:{path}")
    assert says in message
    assert f"{path}, data[0], paragraphs[0], qas[0]" in message


def test_bad_files(tmp_path: Path) -> None:
    assert "cannot read" in refused(f"own:{tmp_path / 'none.jsonl'}")
    assert "row 2: not JSON" in refused(f"own:{rows(tmp_path / 'a.jsonl', {'question': 'x'}, '{')}")
    assert "row 2: must be an object" in refused(f"own:{rows(tmp_path / 'b.jsonl', {'question': 'x'}, '[1]')}")
    twice = rows(tmp_path / "c.jsonl", *[{"id": "a", "question": "x"}] * 2)
    assert "row 2, field 'id': 'a' is that of row 1" in refused(f"own:{twice}")
    (tmp_path / "d.jsonl").write_bytes(b'{"question": "x"}\n{"question": "\xff"}')
    assert "row 2: not UTF-8" in refused(f"own:{tmp_path / 'd.jsonl'}")
    short = rows(tmp_path / "e.tsv", "a\tb")
    assert "row 1: has 2 of 3 columns" in refused(f"triples:{short}")
    with pytest.raises(UnknownName, match="squad"):
        read("squat:dev.json")


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_every_form_tells_of_a_file_that_is_not_there(tmp_path: Path, form: str) -> None:
    refused(f"{form}:{tmp_path / 'none'}")
