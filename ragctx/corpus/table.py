"""The chunks of a corpus: three columns, memory-mapped, opened when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, overload

import numpy as np
import numpy.typing as npt

from ragctx.corpus.catalogue import Row
from ragctx.types import Document, Span

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]


class Columns(NamedTuple):
    """Chunk i is characters `start[i]` to `end[i]` of document number `document[i]`; sorted by document, then start."""

    document: Ints
    start: Longs
    end: Longs

    def rows(self, chosen: npt.NDArray[np.intp]) -> Columns:
        """Some of the chunks."""
        return Columns(self.document[chosen], self.start[chosen], self.end[chosen])

    def save(self, folder: Path) -> None:
        """Write one `.npy` file a column."""
        np.save(folder / "document.npy", self.document)
        np.save(folder / "start.npy", self.start)
        np.save(folder / "end.npy", self.end)

    @classmethod
    def load(cls, folder: Path) -> Columns:
        """Open the columns without reading them."""
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name in cls._fields))


def gather(rows: Sequence[Row], segments: Callable[[str], Longs]) -> Columns:
    """The columns of documents whose chunks lie in segments' own tables of shape (chunks, 2)."""
    counts = np.array([row.stored.chunks for row in rows], dtype=np.int64)
    bounds = np.empty((int(counts.sum()), 2), dtype=np.int64)
    at = 0
    for row in rows:
        here = row.stored
        bounds[at : at + here.chunks] = segments(here.segment)[here.chunk : here.chunk + here.chunks]
        at += here.chunks
    document = np.repeat(np.arange(len(rows), dtype=np.int32), counts)
    return Columns(document, np.ascontiguousarray(bounds[:, 0]), np.ascontiguousarray(bounds[:, 1]))


class Chunks(Sequence[Span]):
    """Every chunk of a corpus or view, in document order; item i is a `Span`.

    Attributes:
        document_index: int32, shape (chunks,): position in the corpus's `documents`.
        start, end: int64, shape (chunks,): characters.

    Example:
        >>> from ragctx import Corpus
        >>> chunks = Corpus.of("Rent is due on the first.", "Pets are fine.").chunks
        >>> len(chunks), chunks[1], chunks.text(0)
        (2, Span(document='text-2', start=0, end=14), 'Rent is due on the first.')
    """

    def __init__(self, columns: Columns, documents: Sequence[Document]) -> None:
        self._columns, self._documents = columns, documents

    @property
    def document_index(self) -> Ints:
        """Position of each chunk's document in the corpus's `documents`."""
        return self._columns.document

    @property
    def start(self) -> Longs:
        """First character of each chunk."""
        return self._columns.start

    @property
    def end(self) -> Longs:
        """Character after the last of each chunk."""
        return self._columns.end

    def __len__(self) -> int:
        return len(self._columns.start)

    @overload
    def __getitem__(self, key: int, /) -> Span: ...
    @overload
    def __getitem__(self, key: slice, /) -> list[Span]: ...
    def __getitem__(self, key: int | slice, /) -> Span | list[Span]:
        if isinstance(key, slice):
            return [self[i] for i in range(*key.indices(len(self)))]
        document, start, end = (column[key] for column in self._columns)
        return Span(self._documents[int(document)].id, int(start), int(end))

    def text(self, i: int) -> str:
        """The text of chunk `i`, read now."""
        document, start, end = (int(column[i]) for column in self._columns)
        return self._documents[document].text[start:end]
