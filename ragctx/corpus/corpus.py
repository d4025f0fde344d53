"""The corpus: what a question may be answered from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ragctx.corpus.chunking import Chunking
from ragctx.corpus.contents import Contents
from ragctx.corpus.opening import Opened, as_it_was, brought, place_of
from ragctx.corpus.progress import Report
from ragctx.corpus.sentences import bounds
from ragctx.corpus.slots import IndexSlot
from ragctx.corpus.sources import documents_of, named
from ragctx.corpus.store import Store
from ragctx.corpus.table import Chunks
from ragctx.corpus.updating import Wanted
from ragctx.errors import InputError, UnreadableDocument
from ragctx.models import ModelFacts
from ragctx.types import Context, Coverage, Document, Passage, Span, Where


class Corpus:
    """Documents, their chunks with exact offsets, and the place of their indexes.

    Text lives in a store on disk and is read by the slice, so a corpus may be larger than memory. When a corpus is
    opened, only files that are new or changed are read.

    Example:
        >>> corpus = Corpus.of("Rent is due on the first.", "Pets are welcome. Keys are two.")
        >>> [document.id for document in corpus.documents], corpus.characters
        (['text-1', 'text-2'], 56)
        >>> [corpus.text(sentence) for sentence in corpus.sentences(corpus.chunks[1])]
        ['Pets are welcome.', 'Keys are two.']
    """

    def __init__(self, opened: Opened, base: Corpus | None = None, wheres: tuple[Where, ...] = ()) -> None:
        """Made by `over`, `of` and `select`."""
        self._base, self._contents = base, Contents(opened, wheres)

    @classmethod
    def over(
        cls,
        *sources: object,
        folder: Path | str | None = None,
        chunking: Chunking | None = None,
        progress: Report | None = None,
    ) -> Corpus:
        """The corpus of files, folders and documents.

        A file inside a folder that cannot be read is passed over and listed in `problems`.

        Args:
            *sources: paths of files or folders (walked, hidden files skipped), `Document`s, or objects with
                `page_content` and `metadata`. With none, `folder` is opened as it was left.
            folder: where store and indexes live; by default below the cache folder, named after the sources.
            chunking: how to cut; the default where nobody says, or what an opened `folder` was cut with.
            progress: called with `Progress` while files are read.

        Raises:
            UnreadableDocument: a file named directly cannot be read, or nothing readable was found.
            MissingExtra: a file named directly needs a package that is not installed.
            StoreLocked, StoreFull, StoreCorrupt: the store cannot be used; each says what to do.
        """
        listed = tuple(named(sources))
        if not listed:
            return cls(as_it_was(folder))
        chunking = chunking or Chunking()
        place = Path(folder).absolute() if folder is not None else place_of(listed, chunking)
        opened = brought(Store(place), Wanted(listed, chunking), progress)
        opened.must_hold_documents()
        return cls(opened)

    @classmethod
    def of(
        cls,
        *texts: str | Document | Mapping[str, str],
        folder: Path | str | None = None,
        chunking: Chunking | None = None,
        progress: Report | None = None,
    ) -> Corpus:
        """The corpus of plain strings, named text-1, text-2, ...; a mapping gives titles to its texts.

        Args:
            *texts: strings, mappings from title to text, `Document`s.
            folder: where the store lives; by default below the cache folder, named after the texts.
            chunking: how to cut.
            progress: called with `Progress`.
        """
        return cls.over(*documents_of(texts), folder=folder, chunking=chunking, progress=progress)

    def add(self, *sources: object, progress: Report | None = None) -> Corpus:
        """Read more sources into this corpus, and return it.

        A document in memory takes the place of the one of its id; what was removed before and is named again is back.
        """
        return self._changed(self._wanted.plus(named(sources)), progress)

    def remove(self, *ids: str) -> Corpus:
        """Take documents out, and return the corpus. Files stay where they are, and out of this corpus.

        Raises:
            UnknownName: there is no such document.
        """
        for name in ids:
            self.document(name)
        return self._changed(self._wanted.minus(ids))

    def refresh(self, progress: Report | None = None) -> Corpus:
        """Look at the sources again, and return the corpus: new and changed files are read, deleted ones leave."""
        return self._changed(self._wanted, progress)

    @property
    def base(self) -> Corpus:
        """The whole corpus that this is a view of; itself where it is no view."""
        return self._base or self

    @property
    def folder(self) -> Path:
        """Where store and indexes live."""
        return self._opened.store.folder

    @property
    def chunking(self) -> Chunking:
        """How documents were cut."""
        return self._opened.wanted.chunking

    @property
    def _opened(self) -> Opened:
        return self._contents.opened

    @property
    def documents(self) -> Sequence[Document]:
        """Every document, in order, with lazy texts."""
        return self._contents.documents

    def document(self, id: str) -> Document:
        """The document of an id.

        Raises:
            UnknownName: there is none in this corpus; the nearest ids are suggested.
        """
        return self._contents.document(id)

    @property
    def problems(self) -> tuple[UnreadableDocument, ...]:
        """What was found and could not be read."""
        return self._opened.state.catalogue.problems

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know: guessed encodings, documents with the same text."""
        return (*self._opened.notes, *self._opened.state.catalogue.notes)

    @property
    def manifest(self) -> str:
        """Hash of ids, texts, chunking and filter: two corpora of one manifest have the same chunks."""
        return self._contents.manifest

    @property
    def chunks(self) -> Chunks:
        """Every chunk, in document order."""
        return self._contents.chunks

    @property
    def rows(self) -> npt.NDArray[np.intp]:
        """For each chunk its row in `base.chunks`: where an index of the whole corpus has it."""
        return self._contents.selection.rows

    def mask(self, where: Where | None) -> npt.NDArray[np.bool_]:
        """Which chunks a filter admits, shape (chunks,); `None` admits all."""
        return self._contents.mask(where)

    def select(self, where: Where | None) -> Corpus:
        """The view of what a filter admits; it shares the store, and a view of a view obeys both filters."""
        if where is None or where == Where():
            return self
        return Corpus(self._opened, self.base, (*self._contents.selection.wheres, where))

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
        return [Span(span.document, start, end) for start, end in bounds(self.text(span), span.start)]

    def tokens(self, facts: ModelFacts) -> int:
        """Tokens of all text that may be read, by a model's counter; counted once and kept in the store."""
        return self._contents.tokens(facts.counter)

    @property
    def characters(self) -> int:
        """Characters of all text that may be read."""
        return self._contents.characters

    def everything(self) -> Context:
        """One verbatim passage a document, in order. Reads all text: look at `tokens` first."""
        parts = zip(self.documents, self._contents.parts, strict=True)
        return Context(tuple(Passage.cut(document, [part]) for document, part in parts))

    def coverage(self, spans: Iterable[Span]) -> tuple[Coverage, ...]:
        """For every document, how many of the characters that may be read the spans hold."""
        return self._contents.coverage(spans)

    def slot(self, name: str) -> IndexSlot:
        """The place of an index of this corpus's chunks; views have places of their own.

        Args:
            name: of the index, with a digest of its settings.
        """
        kind = "indexes" if self._base is None else "views"
        return IndexSlot.at(self.folder / kind, name, self.manifest)

    def __len__(self) -> int:
        return len(self.documents)

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents)

    def __repr__(self) -> str:
        return f"<corpus of {len(self):,} documents, {self.characters:,} characters, {len(self.chunks):,} chunks>"

    def _repr_html_(self) -> str:
        from importlib import import_module

        # By name: the view stands on a higher floor, and only a notebook ever asks for it.
        html: str = import_module("ragctx.views.html").corpus(self)
        return html

    @property
    def _wanted(self) -> Wanted:
        """What the store was asked to describe, to be changed.

        Raises:
            InputError: this is a view.
        """
        if self._base is not None:
            raise InputError("a view cannot be changed: change the corpus it was selected from")
        return self._opened.wanted

    def _changed(self, wanted: Wanted, report: Report | None = None) -> Corpus:
        """This corpus, brought to what is wanted; all that was worked out for its state before is forgotten."""
        self._contents = Contents(brought(self._opened.store, wanted.there(), report))
        return self
