"""Chooses the loader of a file: by its extension, else by what its first bytes look like."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from ragctx.corpus.loading.extracted import Extracted, Findings
from ragctx.corpus.loading.inspection import Inspection
from ragctx.errors import UnreadableDocument

LOADERS: dict[str, str] = {
    ".txt": "plain", ".text": "plain", ".md": "plain", ".markdown": "plain", ".rst": "plain",
}  # fmt: skip


def load(path: Path, seen: Inspection, findings: Findings) -> Iterator[Extracted]:
    """The documents of one file, lazily.

    Raises:
        UnreadableDocument: the file is empty or is not what it seems.
    """
    if not seen.size:
        raise UnreadableDocument(str(path), "the file is empty", "remove it or give it some text")
    name = LOADERS.get(path.suffix.lower()) or _sniffed(seen)
    loader = import_module(f"ragctx.corpus.loading.{name}")
    found: Iterator[Extracted] = loader.load(path, seen, findings)
    return found


def _sniffed(seen: Inspection) -> str:
    return "plain"
