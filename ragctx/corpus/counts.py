"""Tokens of documents, counted once for each counter and kept in the store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from ragctx.corpus.files import write_whole, writing
from ragctx.folders import private
from ragctx.models import Counter
from ragctx.types import Document, Span

_PIECE = 1_000_000


class Counts:
    """What one counter counted in one store; a file for each counter."""

    def __init__(self, folder: Path, counter: Counter) -> None:
        name = hashlib.sha256(counter.name.encode()).hexdigest()[:16]
        self._path, self._counter = folder / "tokens" / f"{name}.json", counter
        self._known = self._read()

    def total(self, parts: Iterable[tuple[Document, Span]]) -> int:
        """Tokens of the given parts of documents; what was not known is counted and kept."""
        total, fresh = 0, False
        for document, span in parts:
            key = f"{document.digest}:{span.start}:{span.end}"
            if key not in self._known:
                self._known[key] = self._count(document, span)
                fresh = True
            total += self._known[key]
        if fresh:
            self._write()
        return total

    def _count(self, document: Document, span: Span) -> int:
        """Counted in pieces, each ended at a space where there is one, as tokens do not reach over it."""
        total, start = 0, span.start
        while start < span.end:
            piece = document.text[start : min(span.end, start + _PIECE)]
            if start + len(piece) < span.end:
                piece = piece[: piece.rfind(" ")] if piece.rfind(" ") > 0 else piece
            total += self._counter.count(piece)
            start += len(piece)
        return total

    def _read(self) -> dict[str, int]:
        try:
            known = json.loads(self._path.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        return {key: count for key, count in known.items() if isinstance(count, int)} if isinstance(known, dict) else {}

    def _write(self) -> None:
        with writing(self._path.parent):
            private(self._path.parent)
            write_whole(self._path, json.dumps(self._known).encode())
