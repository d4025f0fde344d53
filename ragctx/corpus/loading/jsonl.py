"""JSON lines: one document a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from ragctx.corpus.loading.extracted import Extracted, Findings
from ragctx.corpus.loading.inspection import Inspection
from ragctx.corpus.loading.plain import opened
from ragctx.corpus.loading.records import document
from ragctx.errors import UnreadableDocument

REMEDY = "the other records were read; mend or remove this one"


def load(path: Path, seen: Inspection, findings: Findings) -> Iterator[Extracted]:
    """A document for each line that holds a JSON object or string; its id ends with the line's number.

    A line that holds neither is a problem on record and does not stop the others.

    Raises:
        UnreadableDocument: the file is not text, or no line of it is a record.
    """
    good = 0
    with opened(path, seen, findings) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                found = _record(line, number)
            except ValueError as error:
                problem = UnreadableDocument(f"{path}, line {number}", f"it is not a JSON record ({error})", REMEDY)
                findings.problems.append(problem)
                continue
            good += 1
            if found is not None:
                yield found
    if not good:
        raise UnreadableDocument(str(path), "no line of it is a JSON record", "put one JSON object on each line")


def _record(line: str, number: int) -> Extracted | None:
    try:
        value = json.loads(line)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if isinstance(value, str):
        return document({"text": value}, number)
    if not isinstance(value, dict):
        raise ValueError(f"an object or a string is wanted, this is a {type(value).__name__}")
    return document(value, number)
