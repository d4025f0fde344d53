"""Questions that cannot be asked, and names that nobody knows."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("q.jsonl", b'{"question": "Fine?"}\n{"question": \nnot json\n', ["line 2", "line 3"]),
        ("q.jsonl", b'{"id": "a", "question": "One?"}\n{"id": "a", "question": "Two?"}\n', ["line 2", "'a'"]),
        ("q.jsonl", b'{"question": "  "}\n', ["line 1", "empty"]),
        ("q.jsonl", b'{"text": "One?", "history": "x"}\n', ["line 1", "history"]),
        ("q.jsonl", b"", ["no question"]),
        ("q.jsonl", b"\xff\xfe\x00", ["q.jsonl"]),
        ("q.jsonl", '{"question": "Größe?"}'.encode("latin-1"), ["UTF-8"]),
        ("q.json", b'{"a": 1}', ["list"]),
        ("q.csv", b"id,frage\n1,Was?\n", ["question"]),
        ("q.docx", b"PK", [".jsonl"]),
        ("q", b"x", [".jsonl"]),
    ],
)
def test_a_bad_question_file(ragctx, documents, reader, tmp_path, name, data, told):
    (tmp_path / name).write_bytes(data)
    for command in (["plan", name], ["batch", "run", name, "-j", "a.sqlite"]):
        done = ragctx(*command, "-d", documents, "-r", reader())
        assert done.code == 3
        for part in told:
            assert part in done.err
        assert len(done.err.splitlines()) <= 15
    assert not (tmp_path / "a.sqlite").exists()


def test_thousands_of_bad_lines_fit_on_a_screen(ragctx, documents, reader, tmp_path):
    (tmp_path / "q.jsonl").write_text("broken\n" * 5000)
    done = ragctx("plan", "q.jsonl", "-d", documents, "-r", reader())
    assert done.code == 3
    assert len(done.err.splitlines()) <= 20
    assert "5,000" in done.err or "5000" in done.err or "4,990" in done.err


@pytest.mark.parametrize("path", ["none.jsonl", "folder.jsonl"])
def test_a_question_file_that_is_none(ragctx, documents, reader, tmp_path, path):
    (tmp_path / "folder.jsonl").mkdir()
    done = ragctx("plan", path, "-d", documents, "-r", reader())
    assert done.code == 3
    assert path in done.err


@pytest.mark.parametrize("text", ["", "  \n "])
def test_an_empty_question(ragctx, documents, reader, text):
    done = ragctx("ask", text, "-d", documents, "-r", reader())
    assert done.code == 3
    assert "the question is empty" in done.err


def test_a_question_longer_than_the_window(ragctx, documents, reader, questions):
    name = reader('default = "x"\nwindow = 500\n')
    long = "What about " + "the notice period and " * 400 + "the rest?"
    done = ragctx("ask", long, "-d", documents, "-r", name)
    assert done.code == 4
    assert "500" in done.err
    assert len(done.err) < 2000
    rows = questions({"id": "long", "question": long}, {"id": "short", "question": "What is the notice period?"})
    assert ragctx("plan", rows, "-d", documents, "-r", name).code == 0
    job = ragctx("batch", "run", rows, "-j", "a.sqlite", "-d", documents, "-r", name)
    assert job.code == 7
    assert "1 failed" in job.out
    assert "window" in ragctx("explain", "a.sqlite", "--id", "long").err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-r", "lokal:smollm2-135m"], "did you mean 'local'"),
        (["-r", "local"], "local:MODEL"),
        (["-r", "local:"], "local:MODEL"),
        (["-r", "local:smolm2-135m"], "smollm2-135m"),
        (["-r", "openai:m@nowhere"], "openai:MODEL@http"),
        (["-r", "scripted:none.toml"], "none.toml"),
        (["-r", "scripted:echo", "--strategy", "retreive"], "did you mean 'retrieve'"),
        (["-r", "scripted:echo", "--encoder", "sentence-transformer:x"], "did you mean 'sentence-transformers'"),
        (["-r", "openai:m@http://127.0.0.1:9/v1", "-o", "timeot=3"], "timeout"),
        (["-r", "scripted:echo", "--encoder", "extractive", "--encoder-option", "lenght=9"], "no option lenght"),
        (["-r", "scripted:echo", "--encoder", "none", "--encoder-option", "length=9"], "name one, or leave it out"),
        (["-r", "scripted:echo", "--config", "none.toml"], "none.toml"),
    ],
)
def test_unknown_names_are_told_at_once(ragctx, documents, arguments, told):
    done = ragctx("ask", "What is the notice period?", "-d", documents, *arguments)
    assert done.code == 2
    assert told in done.err
    assert len(done.err.splitlines()) <= 5


def test_unknown_names_in_settings(ragctx, documents, tmp_path):
    (tmp_path / "ragctx.toml").write_text('reader = "scripted:echo"\nstrategies = ["ful"]\n')
    done = ragctx("ask", "q", "-d", documents)
    assert done.code == 2
    assert "did you mean 'full'" in done.err
    (tmp_path / "ragctx.toml").write_text('reader = "scripted:echo"\npolicy = "none.toml"\n')
    done = ragctx("ask", "q", "-d", documents)
    assert done.code == 2
    assert "none.toml" in done.err


def test_a_thousand_known_ids_fit_on_a_screen(ragctx, documents, reader, questions):
    rows = questions(*({"id": f"q{n}", "question": f"What does clause {n} say?"} for n in range(300)))
    ragctx("batch", "run", rows, "-j", "a.sqlite", "-d", documents, "-r", reader())
    done = ragctx("explain", "a.sqlite", "--id", "q9999")
    assert done.code == 2
    assert len(done.err) < 500
