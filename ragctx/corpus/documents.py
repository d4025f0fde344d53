"""The documents of a state as a sequence, made when asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import overload

from ragctx.corpus.catalogue import Row
from ragctx.corpus.text import Source, StoredText
from ragctx.types import Document


class Documents(Sequence[Document]):
    """Lazy documents with lazy texts: a million rows cost no more than their catalogue."""

    def __init__(self, rows: Sequence[Row], sources: Mapping[str, Source]) -> None:
        self._rows, self._sources = rows, sources

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, key: int, /) -> Document: ...
    @overload
    def __getitem__(self, key: slice, /) -> list[Document]: ...
    def __getitem__(self, key: int | slice, /) -> Document | list[Document]:
        if isinstance(key, slice):
            return [self._made(row) for row in self._rows[key]]
        return self._made(self._rows[key])

    def _made(self, row: Row) -> Document:
        text = StoredText(row.stored, self._sources[row.stored.segment])
        return Document(row.id, text, row.source, row.title, row.pages, row.metadata, row.stored.digest)
