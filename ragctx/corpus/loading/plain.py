"""Plain text and Markdown: decoded in steps, line ends made one kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from ragctx.corpus.loading.extracted import Extracted, Findings
from ragctx.corpus.loading.inspection import Inspection
from ragctx.errors import UnreadableDocument, readable

_STEP = 1 << 18


def load(path: Path, seen: Inspection, findings: Findings) -> Iterator[Extracted]:
    """The file as one document.

    Line ends become a single line feed, as Python's own text mode has it, so that offsets found by
    `open(path).read()` hold here.

    Raises:
        UnreadableDocument: it is not text.
    """
    yield Extracted(decoded(path, seen, findings))


def decoded(path: Path, seen: Inspection, findings: Findings) -> Iterator[str]:
    """The file's text in steps.

    Raises:
        UnreadableDocument: it is not text.
    """
    with opened(path, seen, findings) as file:
        while step := file.read(_STEP):
            yield step


def opened(path: Path, seen: Inspection, findings: Findings, newline: str | None = None) -> TextIO:
    """The file open as text; a guessed encoding is noted.

    Raises:
        UnreadableDocument: it is not text.
    """
    if not seen.encoding:
        remedy = "convert it to text, PDF or DOCX; UTF-16 text needs a byte order mark"
        raise UnreadableDocument(str(path), "it holds binary data, not text", remedy)
    if seen.guessed:
        name = readable(str(path))
        findings.notes.append(f"{name} is not valid UTF-8 and was read as cp1252: save it as UTF-8 if letters look odd")
    # cp1252 leaves five bytes undefined; they become replacement characters.
    errors = "replace" if seen.guessed else "strict"
    return path.open(encoding=seen.encoding, errors=errors, newline=newline)
