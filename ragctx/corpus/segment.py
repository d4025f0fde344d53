"""Writes the texts and chunks that one index run adds: one text file and one chunk table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np

from ragctx.corpus.chunking import Chunking
from ragctx.corpus.chunks import cut
from ragctx.corpus.files import replacing, writing
from ragctx.corpus.syntax import Syntax
from ragctx.corpus.table import Longs
from ragctx.corpus.text import Stored, StoredText, TextWriter


class Segment:
    """A segment in the making; its folder appears at the end of the `with` block if a text was added, or not at all.

    Attributes:
        name: of the segment, and of its folder under `folder`.
        known: digest -> place of every text stored already; such a text is not stored again.
    """

    def __init__(self, folder: Path, name: str, chunking: Chunking, known: dict[str, Stored]) -> None:
        self.name, self.known = name, known
        self._folder, self._chunking = folder, chunking
        self._replacing = replacing(folder / name)
        self._writer: TextWriter | None = None
        self._half = folder
        self._bounds: list[Longs] = []
        self._chunks = 0

    def __enter__(self) -> Segment:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        if self._writer is None:
            return
        try:
            if kind is None:
                with writing(self._folder):
                    self._writer.finish()
                    np.save(self._half / "chunks.npy", np.concatenate([_NONE, *self._bounds]))
        except BaseException as failed:
            self._writer.abandon()
            self._replacing.__exit__(type(failed), failed, failed.__traceback__)
            raise
        self._writer.abandon()
        self._replacing.__exit__(kind, error, trace)

    def add(self, pieces: Iterable[str], pages: Sequence[int] = (), syntax: Syntax | None = None) -> Stored:
        """Store a text that streams by, and its chunks; a text that is known already is taken back and shared.

        Args:
            pieces: the text.
            pages: where its pages begin.
            syntax: how code is cut, which has to be held in memory for it; None for other texts.
        """
        writer, place = self._opened(), list[Stored]()
        begun = writer.size
        try:
            blocks = writer.write(pieces, place, self.name, pages, syntax.identity if syntax else "")
            spans = syntax.cut("".join(blocks), self._chunking) if syntax else cut(blocks, self._chunking, pages)
            found: Longs = np.fromiter(spans, dtype=_PAIR)
        except BaseException:
            writer.take_back(begun)
            raise
        stored = replace(place[0], chunk=self._chunks, chunks=len(found))
        if (twin := self.known.get(stored.digest)) is not None:
            writer.take_back(begun)
            return twin
        self._keep(stored, found)
        return stored

    def copy(self, text: StoredText, bounds: Longs) -> Stored:
        """Store a text of another segment, with the chunks it has."""
        place: list[Stored] = []
        for _ in self._opened().write(text.blocks(), place, self.name):
            pass
        stored = replace(place[0], digest=text.digest, chunk=self._chunks, chunks=len(bounds))
        self._keep(stored, np.asarray(bounds))
        return stored

    def _keep(self, stored: Stored, bounds: Longs) -> None:
        self._bounds.append(bounds)
        self._chunks += len(bounds)
        self.known[stored.digest] = stored

    def _opened(self) -> TextWriter:
        if self._writer is None:
            self._half = self._replacing.__enter__()
            self._writer = TextWriter(self._half / "text.bin")
        return self._writer


_PAIR = np.dtype((np.int64, (2,)))
_NONE: Longs = np.empty((0, 2), dtype=np.int64)


def clean(pieces: Iterable[str], notes: list[str], name: str) -> Iterator[str]:
    """Pieces without lone surrogates, which no tokenizer takes; each becomes U+FFFD, noted."""
    noted = False
    for piece in pieces:
        try:
            piece.encode()
        except UnicodeEncodeError:
            if not noted:
                notes.append(f"{name} holds halves of characters (lone surrogates): each was replaced by U+FFFD")
            noted = True
            yield "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in piece)
        else:
            yield piece
