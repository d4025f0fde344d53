"""CSV and TSV: one document a row, columns named by the first line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ragctx.corpus.loading.extracted import Extracted, Findings
from ragctx.corpus.loading.inspection import Inspection
from ragctx.corpus.loading.jsonl import REMEDY
from ragctx.corpus.loading.plain import opened
from ragctx.corpus.loading.records import document
from ragctx.errors import UnreadableDocument

_LONGEST_FIELD = 1 << 30


def load(path: Path, seen: Inspection, findings: Findings) -> Iterator[Extracted]:
    """A document for each row below the header; its id ends with the row's number, from 1.

    Fields are set apart by comma, semicolon or tab, whichever the header has most of. A row with more fields than the
    header is a problem on record and does not stop the others.

    Raises:
        UnreadableDocument: the file is not text, or has no rows below a header.
    """
    # The csv module keeps one limit for the process, and its default is shorter than many a text column.
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    with opened(path, seen, findings, newline="") as file:
        delimiter = _delimiter(file.readline())
        file.seek(0)
        lines = csv.reader(file, delimiter=delimiter)
        header = [name.strip() or f"column {i}" for i, name in enumerate(next(lines, []), 1)]
        number = 0
        for row in _rows(path, lines, findings):
            number += 1
            if len(row) > len(header):
                why = f"it has {len(row)} fields and the header names {len(header)}"
                findings.problems.append(UnreadableDocument(f"{path}, line {lines.line_num}", why, REMEDY))
            elif found := document(dict(zip(header, row, strict=False)), number):
                yield found
    if not number:
        raise UnreadableDocument(str(path), "it has no rows below its header", "name the columns in the first line")


def _rows(path: Path, lines: Any, findings: Findings) -> Iterator[list[str]]:  # noqa: ANN401 - csv names no type
    while True:
        try:
            row = next(lines, None)
        except csv.Error as error:
            place = f"{path}, line {lines.line_num}"
            findings.problems.append(UnreadableDocument(place, f"it is not a CSV row ({error})", REMEDY))
            continue
        if row is None:
            return
        if any(field.strip() for field in row):
            yield row


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)
