"""Rows that are finished, in a file of JSON lines: numbers and ids, no texts. What is there is not asked again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from reading_jobs import Row

from ragctx.types import Question


class Kept:
    """The rows of one reader; the file may hold others', which stay as they are.

    Args:
        file: made when the first rows come; None: nothing is kept.
        reader: the model's name, with whatever else decides its answers.
    """

    def __init__(self, file: Path | None, reader: str) -> None:
        self._file, self._reader = file, reader
        self._known: dict[tuple[str, str, str], Row] = {}
        self.refresh()

    def refresh(self) -> None:
        """Take in what other processes have finished."""
        lines = self._file.read_text("utf-8").splitlines() if self._file is not None and self._file.exists() else []
        told = [json.loads(line) for line in lines]
        mine = [Row(**one["row"]) for one in told if one["reader"] == self._reader]
        self._known |= {(row.part, row.strategy, row.question): row for row in mine}

    def of(self, part: str, strategy: str, questions: Iterable[Question]) -> list[Row]:
        """Those that a strategy has of some questions."""
        keys = ((part, strategy, question.id) for question in questions)
        return [self._known[key] for key in keys if key in self._known]

    def left(self, part: str, strategy: str, questions: Iterable[Question]) -> list[Question]:
        """Questions that it has not been asked."""
        return [question for question in questions if (part, strategy, question.id) not in self._known]

    def add(self, rows: Sequence[Row]) -> None:
        """Keep what came."""
        self._known |= {(row.part, row.strategy, row.question): row for row in rows}
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as lines:
                lines.writelines(json.dumps({"reader": self._reader, "row": asdict(row)}) + "\n" for row in rows)


def job(folder: Path, part: str, strategy: str, questions: Sequence[Question]) -> Path:
    """The file of the job that asks these questions: the same ones find it again."""
    digest = hashlib.sha256("\n".join(question.id for question in questions).encode()).hexdigest()[:8]
    return folder / f"{part}-{strategy.replace(' ', '-')}-{digest}.sqlite"
