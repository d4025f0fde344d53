"""What a corpus, or a view of it, holds in one state of its store: worked out when first asked for, then kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ragctx.corpus.catalogue import manifest_of
from ragctx.corpus.counts import Counts
from ragctx.corpus.documents import Documents
from ragctx.corpus.opening import Opened
from ragctx.corpus.selection import Selection, clipped
from ragctx.corpus.table import Chunks
from ragctx.errors import UnknownName
from ragctx.models import Counter
from ragctx.types import Coverage, Document, Span, Where
from ragctx.types.documents import characters_read


class Contents:
    """The documents of a state that some filters admit, their chunks, and the part of each that may be read.

    Attributes:
        opened: the state. selection: what the filters admit.
    """

    def __init__(self, opened: Opened, wheres: tuple[Where, ...] = ()) -> None:
        self.opened = opened
        self.selection = Selection(Documents(opened.rows, opened.state.sources), opened.state.columns, wheres)
        self._tokens: dict[str, int] = {}

    @cached_property
    def documents(self) -> Sequence[Document]:
        """The admitted documents, in order."""
        rows = self.opened.rows
        chosen = [rows[i] for i in self.selection.positions] if self.selection.wheres else rows
        return Documents(chosen, self.opened.state.sources)

    def document(self, id: str) -> Document:
        """The admitted document of an id.

        Raises:
            UnknownName: there is none; the nearest ids are suggested.
        """
        try:
            return self.documents[self._numbers[id]]
        except KeyError:
            raise UnknownName("document", id, list(self._numbers)[:1000]) from None

    @cached_property
    def _numbers(self) -> dict[str, int]:
        rows = self.opened.rows
        return {rows[i].id: number for number, i in enumerate(self.selection.positions)}

    @cached_property
    def manifest(self) -> str:
        """Hash of ids, texts, chunking and of what may be read."""
        catalogue = self.opened.state.catalogue
        if not self.selection.wheres:
            return catalogue.manifest
        bounds = repr([(part.start, part.end) for part in self.parts])
        named = ((document.id, document.digest) for document in self.documents)
        return manifest_of(f"{catalogue.chunking.digest} {bounds}", named)

    @cached_property
    def chunks(self) -> Chunks:
        """The admitted chunks, in document order."""
        return Chunks(self.selection.columns, self.documents)

    def mask(self, where: Where | None) -> npt.NDArray[np.bool_]:
        """Which of the chunks one more filter admits."""
        mask = np.full(len(self.chunks), where is None)
        if where is not None:
            mask[Selection(self.documents, self.selection.columns, (where,)).rows] = True
        return mask

    @cached_property
    def parts(self) -> tuple[Span, ...]:
        """What may be read of every document."""
        return tuple(map(self.selection.visible, self.documents))

    @cached_property
    def characters(self) -> int:
        """Characters that may be read."""
        return sum(map(len, self.parts))

    def tokens(self, counter: Counter) -> int:
        """Tokens that may be read."""
        if counter.name not in self._tokens:
            parts = zip(self.documents, self.parts, strict=True)
            self._tokens[counter.name] = Counts(self.opened.store.folder, counter).total(parts)
        return self._tokens[counter.name]

    def coverage(self, spans: Iterable[Span]) -> tuple[Coverage, ...]:
        """For every document, how many of the characters that may be read the spans hold."""
        read = characters_read(clipped(spans, {part.document: part for part in self.parts}))
        return tuple(Coverage(part.document, read.get(part.document, 0), len(part)) for part in self.parts)
