"""Brings a store up to date: reads what is new or changed, keeps the rest, drops what is gone."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ragctx.corpus.catalogue import Catalogue, Entry, Row
from ragctx.corpus.chunking import Chunking
from ragctx.corpus.grammars import grammar_of
from ragctx.corpus.loading import Extracted, Findings, inspect, load
from ragctx.corpus.progress import Progress, Report
from ragctx.corpus.segment import Segment, clean
from ragctx.corpus.sources import FileItem, Item, TextItem
from ragctx.corpus.syntax import Syntax
from ragctx.errors import MissingExtra, StoreCorrupt, UnreadableDocument, readable
from ragctx.types import Document

# A file changed so shortly before it was read may have changed again within the clock's tick: its bytes are read again.
TICK = 50_000_000
_PIECE = 1 << 16
_REPORT_EVERY = 1 << 22


def current(items: Sequence[Item], catalogue: Catalogue, chunking: Chunking) -> bool:
    """Whether a catalogue describes exactly these items, so that nothing is to be done."""
    if catalogue.chunking.digest != chunking.digest or len(items) != len(catalogue.entries):
        return False
    return all(
        (item.key, item.base, item.root) == (entry.key, entry.base, entry.root) and unchanged(item, entry, chunking)
        for item, entry in zip(items, catalogue.entries, strict=True)
    )


def unchanged(item: Item, entry: Entry, chunking: Chunking) -> bool:
    """Whether an entry still describes an item, by what a look at the folder tells.

    A file that could not be read is tried again when the user names it, or when the reason lay outside of it; one that
    was cut by another grammar, or by none, is cut again.
    """
    if isinstance(item, TextItem):
        return True
    if not entry.raw or (item.alone and not entry.rows):
        return False
    syntax = _syntax(item, chunking, [])
    if (item.size, item.changed, syntax.identity if syntax else "") != (entry.size, entry.changed, entry.grammar):
        return False
    return entry.changed < entry.looked - TICK or _same_bytes(item, entry)


def _syntax(item: FileItem, chunking: Chunking, notes: list[str]) -> Syntax | None:
    """How a file is cut where it is code, wanted as such, and its grammar is installed."""
    grammar = grammar_of(item.key) if chunking.code else None
    return Syntax(grammar, item.base, notes) if grammar and grammar.identity else None


def _same_bytes(item: FileItem, entry: Entry) -> bool:
    try:
        return inspect(Path(item.key)).digest == entry.raw
    except OSError:  # reading it again says what is wrong
        return False


def build(items: Sequence[Item], old: Catalogue, chunking: Chunking, folder: Path,
          report: Report | None = None) -> tuple[Entry, ...]:  # fmt: skip
    """An entry for each item: kept, or read into one new segment under `folder`.

    Raises:
        UnreadableDocument, MissingExtra: a file the user named cannot be read.
        StoreFull, StoreError: the store cannot be written.
    """
    if old.chunking.digest != chunking.digest:
        old = Catalogue()
    known = {row.stored.digest: row.stored for entry in old.entries for row in entry.rows}
    name = f"s{uuid.uuid4().hex[:12]}"
    with Segment(folder, name, chunking, known) as segment:
        run = _Run(segment, old, chunking, Clock(sum(map(_size, items)), report))
        return tuple(run.entry(item) for item in items)


class Clock:
    """Reports how many bytes are behind us, also in the middle of a large file."""

    def __init__(self, total: int, report: Report | None) -> None:
        self._total, self._report = total, report
        self._done = self._inside = self._told = 0

    def read(self, pieces: Iterable[str], at: str) -> Iterator[str]:
        """The pieces, counted as they go by; characters stand for bytes until the file is through."""
        for piece in pieces:
            self._inside += len(piece)
            if self._inside - self._told >= _REPORT_EVERY:
                self._told = self._inside
                self._tell(min(self._total, self._done + self._inside), at)
            yield piece

    def finish(self, size: int, at: str) -> None:
        """One item is through."""
        self._done += size
        self._inside = self._told = 0
        self._tell(self._done, at)

    def _tell(self, done: int, at: str) -> None:
        if self._report is not None:
            self._report(Progress("indexing", done, self._total, "bytes", at))


class _Run:
    def __init__(self, segment: Segment, old: Catalogue, chunking: Chunking, clock: Clock) -> None:
        self._segment, self._chunking, self._clock = segment, chunking, clock
        self._by_key = {entry.key: entry for entry in old.entries}

    def entry(self, item: Item) -> Entry:
        known = self._by_key.get(item.key)
        if known is not None and unchanged(item, known, self._chunking):
            entry = known.named(item.base, item.root)
        else:
            entry = self._text(item) if isinstance(item, TextItem) else self._file(item, known)
        self._clock.finish(_size(item), item.base)
        return entry

    def _text(self, item: TextItem) -> Entry:
        found = item.document
        if found is None:
            raise StoreCorrupt(f"the text of {item.base!r} is no longer stored: make the corpus again from its texts")
        extracted = Extracted(_pieces(found), title=found.title, pages=found.pages, metadata=found.metadata)
        notes: list[str] = []
        row = self._row(extracted, item.base, found.source, notes)
        return Entry(item.key, item.base, item.root, rows=(row,), notes=tuple(notes))

    def _file(self, item: FileItem, known: Entry | None) -> Entry:
        path, findings = Path(item.key), Findings()
        syntax = _syntax(item, self._chunking, findings.notes)
        by = syntax.identity if syntax else ""
        entry = Entry(item.key, item.base, item.root, item.size, item.changed, time.time_ns(), grammar=by)
        try:
            seen = inspect(path)
            if known is not None and (known.raw, known.grammar) == (seen.digest, by) and known.rows:
                same = known.named(item.base, item.root)
                return replace(same, size=item.size, changed=item.changed, looked=entry.looked)
            entry = replace(entry, raw=seen.digest)
            found = load(path, seen, findings)
            rows = tuple(self._row(each, item.base, readable(item.key), findings.notes, syntax) for each in found)
        except (OSError, UnicodeError, MissingExtra, UnreadableDocument) as error:
            return _refused(entry, item, error)
        notes = (*findings.notes, *(f"{row.id} has no visible text" for row in rows if not row.stored.chunks))
        problems = tuple((problem.source, problem.why, problem.remedy) for problem in findings.problems)
        return replace(entry, rows=rows, problems=problems, notes=notes)

    def _row(self, found: Extracted, base: str, source: str, notes: list[str], syntax: Syntax | None = None) -> Row:
        name = base + found.suffix
        pieces = self._clock.read(clean(found.pieces, notes, name), base)
        stored = self._segment.add(pieces, found.pages, syntax)
        # Some loaders learn where pages begin while the text streams by, so pages are looked at last.
        return Row(name, source, stored, found.suffix, found.title, tuple(found.pages), dict(found.metadata))


def _refused(entry: Entry, item: FileItem, error: Exception) -> Entry:
    """The entry of a file that cannot be read; raises where the user named the file itself."""
    if isinstance(error, UnreadableDocument):
        problem = error
    elif isinstance(error, MissingExtra):
        what, _, remedy = str(error).rpartition(": ")
        problem, entry = UnreadableDocument(item.key, what, remedy), replace(entry, raw="", looked=0)
    elif isinstance(error, UnicodeError):
        problem = UnreadableDocument(item.key, "it changed while it was read", "run again")
        entry = replace(entry, raw="", looked=0)
    else:
        why = getattr(error, "strerror", None) or str(error)
        problem = UnreadableDocument(item.key, why, "check that it exists and its permissions")
        entry = replace(entry, raw="", looked=0)
    if item.alone:
        raise error if isinstance(error, MissingExtra) else problem
    return replace(entry, problems=((problem.source, problem.why, problem.remedy),))


def _size(item: Item) -> int:
    if isinstance(item, FileItem):
        return item.size
    return len(item.document.text) if item.document else 0


def _pieces(document: Document) -> Iterator[str]:
    text = document.text
    return (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))
