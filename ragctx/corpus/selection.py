"""Which documents, chunks and characters of a whole corpus some filters admit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ragctx.corpus.table import Columns
from ragctx.types import Document, Span, Where


class Selection:
    """The part of a corpus that every one of some filters admits.

    Attributes:
        documents: of the whole corpus. wheres: the filters; none admits everything.
    """

    def __init__(self, documents: Sequence[Document], columns: Columns, wheres: tuple[Where, ...] = ()) -> None:
        self.documents, self.wheres, self._columns = documents, wheres, columns

    @cached_property
    def positions(self) -> npt.NDArray[np.intp]:
        """Positions of the admitted documents in the whole corpus."""
        if not self.wheres:
            return np.arange(len(self.documents))
        admitted = [i for i, document in enumerate(self.documents) if self._admits(document)]
        return np.array(admitted, dtype=np.intp)

    @cached_property
    def rows(self) -> npt.NDArray[np.intp]:
        """Rows of the admitted chunks in the whole corpus."""
        if not self.wheres:
            return np.arange(len(self._columns.start))
        inside = np.zeros(len(self.documents), dtype=bool)
        inside[self.positions] = True
        mask = inside[self._columns.document]
        if any(where.pages for where in self.wheres):
            mask &= self._on_pages()
        return np.flatnonzero(mask)

    @cached_property
    def columns(self) -> Columns:
        """The admitted chunks, their documents numbered as they stand in the selection."""
        if not self.wheres:
            return self._columns
        numbers = np.zeros(len(self.documents), dtype=np.int32)
        numbers[self.positions] = np.arange(len(self.positions), dtype=np.int32)
        chosen = self._columns.rows(self.rows)
        return chosen._replace(document=numbers[chosen.document])

    def visible(self, document: Document) -> Span:
        """The characters of a document that may be read: all of it, or the pages asked for."""
        start, end = 0, len(document.text)
        for first, last in (where.pages for where in self.wheres if where.pages):
            pages = (*document.pages, end)
            start = max(start, pages[min(max(first, 1), len(pages)) - 1])
            end = min(end, pages[min(max(last, 0), len(pages) - 1)])
        return Span(document.id, min(start, end), end)

    def _admits(self, document: Document) -> bool:
        return all(where.admits(document) for where in self.wheres) and (
            len(self.visible(document)) > 0 or all(where.pages is None for where in self.wheres)
        )

    def _on_pages(self) -> npt.NDArray[np.bool_]:
        """Chunks that begin on a page asked for."""
        low, high = np.zeros((2, len(self.documents)), dtype=np.int64)
        for position in self.positions:
            span = self.visible(self.documents[int(position)])
            low[position], high[position] = span.start, span.end
        document, start, _ = self._columns
        on_pages: npt.NDArray[np.bool_] = (low[document] <= start) & (start < high[document])
        return on_pages


def clipped(spans: Iterable[Span], parts: Mapping[str, Span]) -> Iterator[Span]:
    """What of the spans lies inside the part of their document that may be read; the rest is left out."""
    for span in spans:
        part = parts.get(span.document, Span(span.document, 0, 0))
        start, end = max(span.start, part.start), min(span.end, part.end)
        if start < end:
            yield Span(span.document, start, end)
