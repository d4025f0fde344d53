"""The demo ends with its table and its last line, goes on where it was, and starts over by itself when it must."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow  # the installed encoder loads in every run


@pytest.fixture
def demo(documents, questions, reader, tmp_path):
    rows = [
        {"id": "a", "question": "What is the notice period?", "answers": ["three months"], "kind": "single fact"},
        {"id": "b", "question": "Who is the mayor?", "answerable": False, "kind": "unanswerable"},
    ]
    script = (
        'default = "Three months. [1]"\nwindow = 8192\n[[rule]]\nmatch = "mayor"\nreply = "Not in the documents."\n'
    )
    command = [sys.executable, ROOT / "examples" / "demo.py", "--reader", reader(script), "--documents", documents]
    command += ["--ranker", "none", "--questions", questions(*rows)]
    environment = {name: value for name, value in os.environ.items() if name != "RAGCTX_ENCODER"} | {"COLUMNS": "80"}

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *more], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    return run


def test_the_demo(demo, documents):
    first = demo()
    lines = first.stdout.splitlines()
    assert first.returncode == 0, first.stderr
    assert lines[-1] == "answered 1, declined 1, failed 0 of 2 questions"
    table = lines.index(next(line for line in lines if line.startswith("kind ")))
    assert lines[table + 1].split()[:6] == ["single", "fact", "1", "1", "100", "%"]
    assert "Nothing is spent yet." in " ".join(first.stdout.split())
    assert "[1] lease.md" in first.stdout
    assert max(map(len, lines)) <= 80
    assert first.stderr == ""

    again = demo()
    assert again.returncode == 0
    assert "first those already stored" in again.stdout
    assert again.stdout.splitlines()[-1] == lines[-1]

    (documents / "new.txt").write_text("Bicycles are kept in the yard.")
    changed = demo()
    assert changed.returncode == 0
    assert "Starting over" in changed.stdout
    assert changed.stdout.splitlines()[-1] == lines[-1]


def test_an_error_of_the_demo_is_one_line(demo):
    done = demo("--reader", "lokal:x")
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown reader 'lokal': did you mean 'local'?")
    assert len(done.stderr.splitlines()) == 1


def test_the_gold_answers_of_the_shipped_questions_can_be_scored():
    for line in (ROOT / "examples" / "questions.jsonl").read_text(encoding="utf-8").splitlines():
        assert json.loads(line)["kind"]
