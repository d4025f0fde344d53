"""The corpus: what a question may be answered from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ragctx.corpus.build import current, update
from ragctx.corpus.catalogue import manifest_of
from ragctx.corpus.chunking import Chunking
from ragctx.corpus.counts import Counts
from ragctx.corpus.documents import Documents
from ragctx.corpus.progress import Report
from ragctx.corpus.selection import Selection
from ragctx.corpus.sentences import language, split
from ragctx.corpus.slots import IndexSlot
from ragctx.corpus.sources import as_document, items, root_of
from ragctx.corpus.store import State, Store
from ragctx.corpus.table import Chunks
from ragctx.errors import InputError, UnknownName, UnreadableDocument
from ragctx.folders import cache_folder
from ragctx.models import ModelFacts
from ragctx.types import Context, Coverage, Document, Passage, Span, Where
from ragctx.types.documents import characters_read


class Corpus:
    """Documents, their chunks with exact offsets, and the place of their indexes.

    Text lives in a store on disk and is read by the slice, so a corpus may be larger than memory. The store is brought
    up to date when the corpus is opened: only files that are new or changed are read.

    Example:
        >>> corpus = Corpus.of("Rent is due on the first.", "Pets are welcome. Keys are two.")
        >>> [document.id for document in corpus.documents], corpus.characters
        (['text-1', 'text-2'], 56)
        >>> [corpus.text(sentence) for sentence in corpus.sentences(corpus.chunks[1])]
        ['Pets are welcome.', 'Keys are two.']
    """

    def __init__(self, store: Store, state: State, chunking: Chunking, sources: Sequence[object],
                 base: Corpus | None = None, wheres: tuple[Where, ...] = ()) -> None:  # fmt: skip
        """Made by `over`, `of` and `select`."""
        self._store, self._chunking, self._base = store, chunking, base
        self._take(state, sources, wheres)

    def _take(self, state: State, sources: Sequence[object], wheres: tuple[Where, ...] = ()) -> None:
        """Be the corpus of a state: everything that was worked out for another one is forgotten."""
        for name in ("documents", "_positions", "manifest", "chunks", "characters"):
            self.__dict__.pop(name, None)
        self._state, self._sources = state, list(sources)
        self._selection = Selection(Documents(state.catalogue.rows, state.sources), state.columns, wheres)

    @classmethod
    def over(cls, *sources: object, folder: Path | str | None = None, chunking: Chunking | None = None,
             progress: Report | None = None) -> Corpus:  # fmt: skip
        """The corpus of files, folders and documents.

        Args:
            sources: paths of files or folders (walked, hidden files skipped), `Document`s, or objects with
                `page_content` and `metadata`. With none, `folder` is opened as it was left.
            folder: where store and indexes live; by default below the cache folder, named after the sources.
            chunking: how to cut. progress: called with `Progress` while files are read.

        Raises:
            UnreadableDocument: a file named directly cannot be read, or nothing readable was found.
            StoreLocked, StoreFull, StoreCorrupt: the store cannot be used; each says what to do.
        """
        chunking = chunking or Chunking()
        store = Store(Path(folder) if folder is not None else _place(sources, chunking))
        state = _updated(store, sources, chunking, (), progress)
        return cls(store, state, chunking, sources)

    @classmethod
    def of(cls, *texts: str | Document | Mapping[str, str], folder: Path | str | None = None,
           chunking: Chunking | None = None, progress: Report | None = None) -> Corpus:  # fmt: skip
        """The corpus of plain strings, named text-1, text-2, ...; a mapping gives titles to its texts."""
        documents: list[Document] = []
        for text in texts:
            if isinstance(text, str):
                documents.append(Document(f"text-{len(documents) + 1}", text))
            elif isinstance(text, Mapping):
                documents.extend(Document(title, each, title=title) for title, each in text.items())
            else:
                documents.append(as_document(text))
        return cls.over(*documents, folder=folder, chunking=chunking, progress=progress)

    def add(self, *sources: object, progress: Report | None = None) -> Corpus:
        """Read more sources into this corpus; a document in memory replaces the one of its id. Returns itself."""
        replaced = {as_document(s).id for s in sources if not isinstance(s, (str, Path))}
        kept = [s for s in self._sources if isinstance(s, (str, Path)) or as_document(s).id not in replaced]
        self._change([*kept, *sources], self._state.catalogue.removed, progress)
        return self

    def remove(self, *ids: str) -> Corpus:
        """Take documents out; files stay on disk and stay out of this corpus. Returns itself.

        Raises:
            UnknownName: there is no such document.
        """
        for name in ids:
            self.document(name)
        self._change(self._sources, (*self._state.catalogue.removed, *ids), None)
        return self

    def refresh(self, progress: Report | None = None) -> Corpus:
        """Look at the sources again: new and changed files are read, deleted ones leave. Returns itself."""
        self._change(self._sources, self._state.catalogue.removed, progress)
        return self

    @property
    def base(self) -> Corpus:
        """The whole corpus that this is a view of; itself where it is no view."""
        return self._base or self

    @property
    def folder(self) -> Path:
        """Where store and indexes live."""
        return self._store.folder

    @property
    def chunking(self) -> Chunking:
        """How documents were cut."""
        return self._chunking

    @cached_property
    def documents(self) -> Sequence[Document]:
        """Every document, in order, with lazy texts."""
        rows = self._state.catalogue.rows
        chosen = [rows[i] for i in self._selection.positions] if self._selection.wheres else rows
        return Documents(chosen, self._state.sources)

    @cached_property
    def _positions(self) -> dict[str, int]:
        rows = self._state.catalogue.rows
        return {rows[i].id: number for number, i in enumerate(self._selection.positions)}

    def document(self, id: str) -> Document:
        """The document of an id.

        Raises:
            UnknownName: there is none in this corpus; the nearest ids are suggested.
        """
        try:
            return self.documents[self._positions[id]]
        except KeyError:
            raise UnknownName("document", id, list(self._positions)[:1000]) from None

    @property
    def problems(self) -> tuple[UnreadableDocument, ...]:
        """What was found and could not be read."""
        return self._state.catalogue.problems

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know: guessed encodings, documents with the same text."""
        return self._state.catalogue.notes

    @cached_property
    def manifest(self) -> str:
        """Hash of ids, texts, chunking and filter: two corpora of one manifest have the same chunks."""
        if not self._selection.wheres:
            return self._state.catalogue.manifest
        visible = (self._selection.visible(document) for document in self.documents)
        named = ((document.id, document.digest) for document in self.documents)
        bounds = hashlib.sha256(repr([(span.start, span.end) for span in visible]).encode()).hexdigest()
        return manifest_of(f"{self._chunking.digest} {bounds}", named)

    @cached_property
    def chunks(self) -> Chunks:
        """Every chunk, in document order."""
        return Chunks(self._selection.columns, self.documents)

    @property
    def rows(self) -> npt.NDArray[np.intp]:
        """For each chunk its row in `base.chunks`: where an index of the whole corpus has it."""
        return self._selection.rows

    def mask(self, where: Where | None) -> npt.NDArray[np.bool_]:
        """Which chunks a filter admits, shape (chunks,); `None` admits all."""
        if where is None:
            return np.ones(len(self.chunks), dtype=bool)
        mask = np.zeros(len(self.chunks), dtype=bool)
        mask[Selection(self.documents, self._selection.columns, (where,)).rows] = True
        return mask

    def select(self, where: Where | None) -> Corpus:
        """The view of what a filter admits; it shares the store, and a view of a view obeys both filters."""
        if where is None or where == Where():
            return self
        wheres = (*self._selection.wheres, where)
        return Corpus(self._store, self._state, self._chunking, self._sources, self.base, wheres)

    def text(self, span: Span) -> str:
        """The characters of a span.

        Raises:
            UnknownName: the span's document is not in this corpus.
        """
        return self.document(span.document).text[span.start : span.end]

    def passage(self, *spans: Span, score: float | None = None) -> Passage:
        """The passage of spans of one document.

        Raises:
            InputError: no span, or spans of several documents. UnknownName: the document is not in this corpus.
        """
        if len({span.document for span in spans}) != 1:
            raise InputError("a passage is cut from one document: give spans of one, at least one")
        return Passage.cut(self.document(spans[0].document), spans, score=score)

    def sentences(self, span: Span) -> list[Span]:
        """The sentences inside a span, without the white space between them."""
        text, found, at = self.text(span), [], span.start
        for piece in split(text, language(text)):
            start = at + len(piece) - len(piece.lstrip())
            if visible := piece.strip():
                found.append(Span(span.document, start, start + len(visible)))
            at += len(piece)
        return found

    def tokens(self, facts: ModelFacts) -> int:
        """Tokens of all text that may be read, by a model's counter; counted once and kept in the store."""
        counts = Counts(self._store.folder, facts.counter)
        return counts.total((document, self._selection.visible(document)) for document in self.documents)

    @cached_property
    def characters(self) -> int:
        """Characters of all text that may be read."""
        return sum(len(self._selection.visible(document)) for document in self.documents)

    def everything(self) -> Context:
        """One verbatim passage a document, in order. Reads all text: look at `tokens` first."""
        return Context(tuple(Passage.cut(each, [self._selection.visible(each)]) for each in self.documents))

    def coverage(self, spans: Iterable[Span]) -> tuple[Coverage, ...]:
        """For every document, how many of the characters that may be read the spans hold."""
        given = list(spans)
        parts = {document.id: self._selection.visible(document) for document in self.documents}
        inside = (_clipped(span, parts[span.document]) for span in given if span.document in parts)
        read = characters_read(span for span in inside if span is not None)
        return tuple(Coverage(name, read.get(name, 0), len(part)) for name, part in parts.items())

    def slot(self, name: str) -> IndexSlot:
        """The place of an index of this corpus's chunks; views have places of their own.

        Args:
            name: of the index with its settings' digest, fit for a folder's name.
        """
        kind = "views" if self._selection.wheres else "indexes"
        return IndexSlot(self._store.folder / kind / name, self.manifest)

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents)

    def __repr__(self) -> str:
        return f"<corpus of {len(self):,} documents, {self.characters:,} characters, {len(self.chunks):,} chunks>"

    def _change(self, sources: Sequence[object], removed: Iterable[str], report: Report | None) -> None:
        if self._base is not None:
            raise InputError("a view cannot be changed: change the corpus it was selected from")
        self._take(_updated(self._store, sources, self._chunking, removed, report), sources)


def _updated(store: Store, sources: Sequence[object], chunking: Chunking, removed: Iterable[str],
             report: Report | None) -> State:  # fmt: skip
    """The store's state once it describes the sources."""
    listed, gone = items(sources), tuple(removed)
    state = store.open()
    if state is not None and state.catalogue.removed == gone and current(listed, state.catalogue, chunking):
        return state
    with store.changing():
        state = update(store, store.open(), listed, chunking, gone, report)
    if not state.catalogue.rows and sources:
        first = next(iter(state.catalogue.problems), None)
        raise first or UnreadableDocument(", ".join(map(str, sources)), "nothing readable is there", "add documents")
    return state


def _place(sources: Sequence[object], chunking: Chunking) -> Path:
    if not sources:
        raise InputError("a corpus needs documents: give at least one file, folder or text")
    named = "\n".join([chunking.digest, *(root_of(source) for source in sources)])
    return cache_folder("corpora") / hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _clipped(span: Span, part: Span) -> Span | None:
    start, end = max(span.start, part.start), min(span.end, part.end)
    return Span(span.document, start, end) if start < end else None
