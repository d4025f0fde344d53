"""Brings a store up to date: reads what is new or changed, keeps the rest, drops what is gone."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ragctx.corpus.catalogue import Catalogue, Entry, Row
from ragctx.corpus.chunking import Chunking
from ragctx.corpus.chunks import cut
from ragctx.corpus.loading import Extracted, Findings, inspect, load
from ragctx.corpus.progress import Progress, Report
from ragctx.corpus.sources import FileItem, Item, TextItem
from ragctx.corpus.store import State, Store
from ragctx.corpus.text import Stored, TextWriter
from ragctx.errors import UnreadableDocument
from ragctx.types import Document

# A file changed so shortly before it was read may have changed again within the clock's tick: read its bytes once more.
TICK = 50_000_000


def unchanged(item: Item, entry: Entry) -> bool:
    """Whether an entry still describes an item, by what a look at the folder tells."""
    if isinstance(item, TextItem):
        return True
    same = (item.size, item.changed) == (entry.size, entry.changed)
    return same and entry.changed < entry.looked - TICK


def current(items: Sequence[Item], catalogue: Catalogue, chunking: Chunking) -> bool:
    """Whether a catalogue describes exactly these items, so that nothing needs writing."""
    if catalogue.chunking != chunking.digest or len(items) != len(catalogue.entries):
        return False
    return all(
        (item.key, item.base, item.root) == (entry.key, entry.base, entry.root) and unchanged(item, entry)
        for item, entry in zip(items, catalogue.entries, strict=True)
    )


def update(store: Store, old: State | None, items: Sequence[Item], chunking: Chunking,
           removed: Iterable[str] = (), report: Report | None = None) -> State:  # fmt: skip
    """The new state of a store; the caller holds its lock.

    Raises:
        UnreadableDocument: a file the user named cannot be read.
        StoreFull, StoreError: the store cannot be written.
    """
    with Run(store, old.catalogue if old else Catalogue(), chunking, report) as run:
        entries = run.entries(items)
    catalogue = Catalogue(tuple(entries), chunking.digest, tuple(removed))
    return store.commit(catalogue)


@dataclass(slots=True)
class Run:
    """One pass over everything; opens a segment when the first new text comes."""

    store: Store
    old: Catalogue
    chunking: Chunking
    report: Report | None = None
    _by_key: dict[str, Entry] = field(default_factory=dict)
    _by_raw: dict[str, Entry] = field(default_factory=dict)
    _by_digest: dict[str, Stored] = field(default_factory=dict)
    _bounds: list[np.ndarray] = field(default_factory=list)
    _chunks: int = 0
    _segment: tuple[str, TextWriter] | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Run:
        if self.old.chunking == self.chunking.digest:
            self._by_key = {entry.key: entry for entry in self.old.entries}
            self._by_raw = {entry.raw: entry for entry in self.old.entries if entry.raw and not entry.problems}
            self._by_digest = {row.stored.digest: row.stored for entry in self.old.entries for row in entry.rows}
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.__exit__(*error)  # type: ignore[arg-type]

    def entries(self, items: Sequence[Item]) -> list[Entry]:
        """An entry for each item, read now or kept."""
        total, done, entries = sum(map(_size, items)), 0, []
        for item in items:
            entries.append(self._entry(item))
            done += _size(item)
            if self.report is not None:
                self.report(Progress("indexing", done, total, "bytes", item.base))
        if self._segment is not None:
            self._segment[1].close()
        return entries

    def _entry(self, item: Item) -> Entry:
        known = self._by_key.get(item.key)
        if known is not None and unchanged(item, known):
            return known.named(item.base, item.root)
        return self._text(item) if isinstance(item, TextItem) else self._file(item)

    def _text(self, item: TextItem) -> Entry:
        found = item.document
        extracted = Extracted(_pieces(found), title=found.title, pages=found.pages, metadata=found.metadata)
        row = self._row(extracted, item.base, found.source)
        return Entry(item.key, item.base, item.root, rows=(row,))

    def _file(self, item: FileItem) -> Entry:
        path, looked = Path(item.key), time.time_ns()
        entry = Entry(item.key, item.base, item.root, item.size, item.changed, looked)
        try:
            seen = inspect(path)
            entry = replace(entry, raw=seen.digest)
            same = self._by_key.get(item.key)
            if same is not None and same.raw == seen.digest:
                return replace(same.named(item.base, item.root), size=item.size, changed=item.changed, looked=looked)
            findings = Findings()
            rows = tuple(self._row(each, item.base, item.key) for each in load(path, seen, findings))
        except OSError as error:
            problem = UnreadableDocument(item.key, error.strerror or "it cannot be opened", "check its permissions")
            return self._refused(entry, item, problem)
        except UnreadableDocument as problem:
            return self._refused(entry, item, problem)
        problems = tuple((p.source, p.why, p.remedy) for p in findings.problems)
        return replace(entry, rows=rows, problems=problems, notes=tuple(findings.notes))

    def _refused(self, entry: Entry, item: FileItem, problem: UnreadableDocument) -> Entry:
        if item.alone:
            raise problem
        return replace(entry, problems=((problem.source, problem.why, problem.remedy),))

    def _row(self, found: Extracted, base: str, source: str) -> Row:
        return Row(base + found.suffix, source, self._stored(found.pieces), found.suffix, found.title, found.pages,
                   found.metadata)  # fmt: skip

    def _stored(self, pieces: Iterable[str]) -> Stored:
        """Store a text and its chunks; a text that is stored already is taken back and shared."""
        segment, writer = self._opened()
        place: list[Stored] = []
        spans = np.array(list(cut(writer.write(pieces, place, segment), self.chunking)), dtype=np.int64).reshape(-1, 2)
        stored = replace(place[0], chunk=self._chunks, chunks=len(spans))
        if (twin := self._by_digest.get(stored.digest)) is not None:
            writer.take_back(stored)
            return twin
        self._bounds.append(spans)
        self._chunks += len(spans)
        self._by_digest[stored.digest] = stored
        return stored

    def _opened(self) -> tuple[str, TextWriter]:
        if self._segment is None:
            name, folder = self._stack.enter_context(self.store.segment())
            self._stack.callback(self._save_bounds, folder)
            writer = TextWriter(folder / "text.bin")
            self._stack.callback(writer.close)
            self._segment = name, writer
        return self._segment

    def _save_bounds(self, folder: Path) -> None:
        empty = np.empty((0, 2), dtype=np.int64)
        np.save(folder / "chunks.npy", np.concatenate([empty, *self._bounds]))


def _size(item: Item) -> int:
    return item.size if isinstance(item, FileItem) else len(item.document.text)


def _pieces(document: Document) -> Iterator[str]:
    text = document.text
    return (text[start : start + (1 << 16)] for start in range(0, len(text), 1 << 16))
