"""Word files (.docx): paragraphs and tables in order, with the extra `office`."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ragctx.corpus.loading.extracted import Extracted, Findings
from ragctx.corpus.loading.inspection import Inspection
from ragctx.errors import MissingExtra, UnreadableDocument

_OLD = b"\xd0\xcf\x11\xe0"


def load(path: Path, seen: Inspection, findings: Findings) -> Iterator[Extracted]:
    """The file as one document: paragraphs set apart by a blank line, table rows by a line break, cells by a tab.

    Headers, footnotes and comments are not read.

    Raises:
        MissingExtra: python-docx is not installed. UnreadableDocument: it is encrypted, an old .doc, or damaged.
    """
    try:
        import docx
        from docx.opc.exceptions import OpcError
    except ImportError as error:
        raise MissingExtra("reading .docx files", "office", "python-docx") from error
    if seen.head.startswith(_OLD):
        remedy = "save it as .docx without a password"
        raise UnreadableDocument(str(path), "it is password-protected or an old .doc", remedy)
    try:
        document = docx.Document(str(path))
        said = document.core_properties
        title, author = said.title or "", said.author or ""
    except (OpcError, zipfile.BadZipFile, KeyError, ValueError) as error:
        remedy = "check that it opens in a word processor, and save it again from there"
        raise UnreadableDocument(str(path), f"it is damaged or not a .docx ({error})", remedy) from error
    yield Extracted(_pieces(document), title=title, metadata={"author": author} if author else {})


def _pieces(document: Any) -> Iterator[str]:  # noqa: ANN401 - python-docx is an extra
    gap = ""
    for part in document.iter_inner_content():
        text = part.text if hasattr(part, "runs") else "\n".join(_rows(part))
        if text.strip():
            yield f"{gap}{text}"
            gap = "\n\n"


def _rows(table: Any) -> Iterator[str]:  # noqa: ANN401 - python-docx is an extra
    for row in table.rows:
        cells: list[Any] = []
        for cell in row.cells:
            # A merged cell is listed once for each column it spans.
            if not cells or cell._tc is not cells[-1]._tc:
                cells.append(cell)
        yield "\t".join(" ".join(cell.text.split()) for cell in cells)
