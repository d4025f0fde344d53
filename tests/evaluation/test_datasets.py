from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ragctx.errors import InputError
from ragctx.evaluation import examples
from ragctx.types import Span, Turn


def write(folder: Path, *rows: dict[str, Any] | str) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    (folder / "normalized.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def inline(**changes: Any) -> dict[str, Any]:
    row = {
        "id": "r1",
        "question": "Who keeps the keys?",
        "answers": ["Orla", "Orla Finch"],
        "task": "qa",
        "group": "keys",
        "contexts": [{"title": "one", "text": "Nothing here."}, {"title": "two", "text": "Orla Finch keeps the keys."}],
        "evidence": [{"context": 1, "start": 0, "end": 10}],
    }
    return {key: value for key, value in (row | changes).items() if value is not ...}


def test_inline_rows(tmp_path: Path) -> None:
    [example] = examples(write(tmp_path, inline()))
    assert example.question.answers == ("Orla", "Orla Finch")
    assert (example.question.id, example.question.kind, example.group) == ("r1", "qa", "keys")
    assert [document.title for document in example.documents] == ["one", "two"]
    [gold] = example.gold
    assert gold == Span(example.documents[1].id, 0, 10)
    assert example.documents[1].text[gold.start : gold.end] == "Orla Finch"
    assert example.question.answerable is None


def test_document_files_keep_their_line_ends_and_several_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "a.txt").write_bytes("Première ligne.\r\nThe key is blue.".encode())
    (tmp_path / "documents" / "b.txt").write_bytes(b"Second.")
    row = inline(contexts=..., document_path="documents/a.txt", evidence=[{"start": 17, "end": 33}])
    [example] = examples(write(tmp_path, row))
    [gold] = example.gold
    assert example.documents[0].text[gold.start : gold.end] == "The key is blue."
    both = inline(contexts=..., document_path=["documents/a.txt", "documents/b.txt"], evidence=...)
    [example] = examples(write(tmp_path, both))
    assert [document.id for document in example.documents] == ["documents/a.txt", "documents/b.txt"]
    assert example.gold == ()


def test_history_and_labels(tmp_path: Path) -> None:
    history = [{"speaker": "user", "text": "Who is Orla?"}, {"speaker": "agent", "text": "The caretaker."}]
    rows = [
        inline(history=history, answerability=["UNANSWERABLE"]),
        inline(answerable=True),
        inline(answerability=["UNDERSPECIFIED"]),
    ]
    read = list(examples(write(tmp_path, *rows)))
    assert read[0].question.history == (Turn("user", "Who is Orla?"), Turn("assistant", "The caretaker."))
    assert [example.question.answerable for example in read] == [False, True, None]


def test_rows_are_read_only_when_asked_for(tmp_path: Path) -> None:
    reader = examples(write(tmp_path, inline(), "", "not json"))
    assert next(reader).question.id == "r1"
    with pytest.raises(InputError, match=r"normalized\.jsonl:3"):
        next(reader)
    assert len(list(examples(tmp_path, limit=1))) == 1
    assert list(examples(tmp_path, limit=0)) == []


def test_a_span_over_a_stripped_line_end_is_clipped(tmp_path: Path) -> None:
    row = inline(contexts=[{"title": "", "text": "Blue."}], evidence=[{"context": 0, "start": 0, "end": 6}])
    [example] = examples(write(tmp_path, row))
    assert example.gold == (Span("r1#0", 0, 5),)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("[1, 2]", "mend"),
        ("{broken", "mend"),
        ('"text"', "mend"),
        (inline(question="  "), "empty"),
        (inline(question=...), "no 'question'"),
        (inline(group=...), "no 'group'"),
        (inline(contexts=...), "no 'document_path'"),
        (inline(answers="Orla"), "answers must be a list"),
        (inline(evidence=[{"context": 5, "start": 0, "end": 1}]), "context 5 of 2"),
        (inline(evidence=[{"context": -1, "start": 0, "end": 1}]), "context -1 of 2"),
        (inline(evidence=[{"context": 0, "start": 0, "end": 99}]), "outside"),
        (inline(contexts=..., document_path="missing.txt"), "cannot read"),
        (inline(contexts=..., document_path="../secret.txt"), "leaves the folder"),
        (inline(contexts=..., document_path=7), "mend"),
    ],
)
def test_bad_rows_say_where_and_what(tmp_path: Path, row: dict[str, Any] | str, message: str) -> None:
    (tmp_path / "secret.txt").write_text("outside", encoding="utf-8")
    (tmp_path / "set").mkdir()
    with pytest.raises(InputError, match=message) as raised:
        list(examples(write(tmp_path / "set", row)))
    assert "normalized.jsonl:1" in str(raised.value)


def test_bytes_that_are_not_utf8_and_a_folder_without_rows(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must hold normalized\.jsonl"):
        examples(tmp_path)
    (tmp_path / "normalized.jsonl").write_bytes(b'{"id": "\xff"}\n')
    with pytest.raises(InputError, match=":1"):
        list(examples(tmp_path))
