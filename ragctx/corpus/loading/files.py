"""Chooses the loader of a file: by its extension, else by what its first bytes look like."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from ragctx.corpus.grammars import grammar_of
from ragctx.corpus.loading.extracted import Extracted, Findings
from ragctx.corpus.loading.inspection import Inspection
from ragctx.errors import UnreadableDocument

LOADERS: dict[str, str] = {
    ".txt": "plain", ".text": "plain", ".md": "plain", ".markdown": "plain", ".rst": "plain",
    ".html": "html", ".htm": "html", ".xhtml": "html",
    ".pdf": "pdf",
    ".docx": "office",
    ".jsonl": "jsonl", ".ndjson": "jsonl",
    ".csv": "table", ".tsv": "table",
}  # fmt: skip
_HTML = (b"<!doctype html", b"<html")


def load(path: Path, seen: Inspection, findings: Findings) -> Iterator[Extracted]:
    """The documents of one file, lazily.

    Raises:
        UnreadableDocument: the file is empty or is not what it seems.
        MissingExtra: its format needs a package that is not installed.
    """
    if not seen.size:
        raise UnreadableDocument(str(path), "the file is empty", "remove it or give it some text")
    # Code often holds a page's head or a file's first bytes as its own text.
    name = LOADERS.get(path.suffix.lower()) or ("plain" if grammar_of(path.name) else _sniffed(path, seen))
    loader = import_module(f"ragctx.corpus.loading.{name}")
    found: Iterator[Extracted] = loader.load(path, seen, findings)
    return found


def _sniffed(path: Path, seen: Inspection) -> str:
    if seen.head.startswith(b"%PDF-"):
        return "pdf"
    if seen.head.startswith(b"PK\x03\x04") and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return "office" if "word/document.xml" in archive.namelist() else "plain"
    if seen.encoding and seen.head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_HTML):
        return "html"
    return "plain"
