"""Plain text and Markdown: decoded in steps, line ends made one kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ragctx.corpus.loading.extracted import Extracted, Findings
from ragctx.corpus.loading.inspection import Inspection
from ragctx.errors import UnreadableDocument

_STEP = 1 << 18


def load(path: Path, seen: Inspection, findings: Findings) -> Iterator[Extracted]:
    """The file as one document.

    Line ends become `\\n`, as Python's own text mode has it, so that offsets found by `open(path).read()` hold here.
    """
    yield Extracted(decoded(path, seen, findings))


def decoded(path: Path, seen: Inspection, findings: Findings) -> Iterator[str]:
    """The file's text in steps.

    Raises:
        UnreadableDocument: it is not text.
    """
    if not seen.encoding:
        raise UnreadableDocument(str(path), "it holds binary data, not text", "convert it to text, PDF or DOCX first")
    if seen.guessed:
        findings.notes.append(
            f"{path} is not valid UTF-8 and was read as cp1252: convert it to UTF-8 if letters look odd"
        )
    with path.open(encoding=seen.encoding, errors="replace" if seen.guessed else "strict") as file:
        while step := file.read(_STEP):
            yield step
