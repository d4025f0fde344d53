"""PDF: the text of each page, with the offset at which each page begins."""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ragctx.corpus.loading.extracted import Extracted, Findings
from ragctx.corpus.loading.inspection import Inspection
from ragctx.errors import UnreadableDocument

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

# What pypdf lets through for damaged files, besides its own errors.
_DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, LookupError, NotImplementedError, OSError, RecursionError,
    TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip


def load(path: Path, seen: Inspection, findings: Findings) -> Iterator[Extracted]:
    """The file as one document; pages are set apart by a blank line.

    Raises:
        UnreadableDocument: it is encrypted, damaged, or holds pictures of text only.
    """
    reader = _opened(path)
    pages: list[int] = []
    title, metadata = _said(reader)
    yield Extracted(_pieces(path, reader, pages, findings), title=title, pages=pages, metadata=metadata)


def _opened(path: Path) -> PdfReader:
    from pypdf import PdfReader
    from pypdf.errors import DependencyError, PyPdfError

    _say_nothing()
    try:
        reader = PdfReader(path)
        # Many encrypted files open with an empty password: their owner only restricts printing and the like.
        if reader.is_encrypted and not reader.decrypt(""):
            raise UnreadableDocument(str(path), "it is encrypted", "save a copy without a password")
        if not len(reader.pages):
            raise UnreadableDocument(str(path), "it has no pages", "check that it opens in a viewer")
    except DependencyError as error:
        remedy = "pip install cryptography, or save a copy without encryption"
        raise UnreadableDocument(str(path), "its encryption needs a package that is not installed", remedy) from error
    except (PyPdfError, *_DAMAGE) as error:
        remedy = "check that it opens in a viewer, and save it again from there"
        raise UnreadableDocument(str(path), f"it is damaged or not a PDF ({error})", remedy) from error
    return reader


def _say_nothing() -> None:
    """Keep pypdf's remarks on odd files to itself, since what matters of them is a problem on record.

    Whoever gave its logger a level wants to hear them, and does.
    """
    logger = logging.getLogger("pypdf")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.CRITICAL)


def _said(reader: PdfReader) -> tuple[str, dict[str, str]]:
    from pypdf.errors import PyPdfError

    try:
        said = reader.metadata
        title, author = (said.title or "", said.author or "") if said else ("", "")
    except (PyPdfError, *_DAMAGE):  # a damaged information block says nothing, and the text is still good
        return "", {}
    return str(title), {"author": str(author)} if author else {}


def _pieces(path: Path, reader: PdfReader, pages: list[int], findings: Findings) -> Iterator[str]:
    at, visible = 0, False
    for number, page in enumerate(reader.pages, 1):
        text = _page(path, number, page, findings)
        if number > 1:
            text = "\n\n" + text
        pages.append(at + (2 if number > 1 else 0))
        at += len(text)
        visible = visible or bool(text.strip())
        yield text
    if not visible:
        remedy = "it is probably a scan: run OCR over it first (for example ocrmypdf)"
        raise UnreadableDocument(str(path), "its pages hold no text", remedy)


def _page(path: Path, number: int, page: PageObject, findings: Findings) -> str:
    """The text of a page; one that cannot be read is a problem on record and leaves its page empty."""
    from pypdf.errors import PyPdfError

    try:
        text = page.extract_text()
    except (PyPdfError, *_DAMAGE) as error:
        remedy = "the other pages were read; save the file again from a viewer"
        findings.problems.append(UnreadableDocument(f"{path}, page {number}", f"it is damaged ({error})", remedy))
        return ""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
