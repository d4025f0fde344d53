"""Finds answers again: in job files, and in JSON lines that `ask --json` or `batch export` wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ragctx.errors import ConfigError, InputError, UnknownName
from ragctx.types import Answer

SQLITE = b"SQLite format 3\0"
Found = tuple[Answer, str] | str  # an answer and its question, or why there is none


def find_answer(path: Path, question: str | None) -> tuple[Answer, str]:
    """The answer of one question, and the question's text where the file holds it.

    Raises:
        ConfigError: no such file, or several answers and no question named. UnknownName: no answer has that id.
        InputError: the row failed, or the file holds something else.
    """
    if not path.is_file():
        raise ConfigError(f"there is no file {path}: name a job file, or answers saved with --json or batch export")
    answers = dict(_job(path) if _begins(path) == SQLITE else _lines(path))
    if not answers:
        raise InputError(f"{path} holds no answer yet: ask first, or wait for the job's first row")
    if question is None:
        if len(answers) != 1:
            raise ConfigError(f"{path} holds {len(answers)} answers: choose one with --id ({_some(answers)})")
        question = next(iter(answers))
    if question not in answers:
        raise UnknownName("question id", question, answers)
    found = answers[question]
    if isinstance(found, str):
        raise InputError(f"question {question!r} failed: {found}")
    return found


def _begins(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(SQLITE))


def _some(answers: dict[str, Found]) -> str:
    return ", ".join(list(answers)[:5]) + (", ..." if len(answers) > 5 else "")


def _job(path: Path) -> Iterator[tuple[str, Found]]:
    from ragctx.batch import JobStore

    with JobStore.open(path) as store:
        for row in store.results():
            failed = str(row.failure and row.failure.message)
            yield row.id, (row.answer, row.question.text) if row.answer is not None else failed


def _lines(path: Path) -> Iterator[tuple[str, Found]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is neither a job nor JSON lines: name what --json or batch export wrote") from None
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _line(line, f"{path}, line {number}")


def _line(line: str, where: str) -> tuple[str, Found]:
    """An answer on its own, or an exported row that holds one."""
    try:
        row: dict[str, Any] = json.loads(line)
        held = row.get("answer", row)
        if held is None:
            return str(row["id"]), str(row["error"]["message"])
        answer = Answer.from_json(json.dumps(held))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{where} is not a saved answer: name what --json or batch export (.jsonl) wrote") from error
    asked = row.get("question")
    return answer.question, (answer, str(asked.get("text", "")) if isinstance(asked, dict) else "")
