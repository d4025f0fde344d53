"""What a store knows: which sources it read, the documents they gave, and where those lie.

A generation is one complete state: a folder of its own that is never changed. `manifest.json` points to the current
one and is replaced in one step, so a reader sees either the old state or the new one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, astuple, dataclass, field, replace
from functools import cached_property

from ragctx.corpus.chunking import Chunking
from ragctx.corpus.grammars import grammar_of
from ragctx.corpus.text import Stored
from ragctx.errors import UnreadableDocument
from ragctx.types.documents import Scalar


@dataclass(frozen=True, slots=True)
class Row:
    """One document without its text: everything `Document` needs, and where the text lies."""

    id: str
    source: str
    stored: Stored
    suffix: str = ""
    title: str = ""
    pages: tuple[int, ...] = ()
    metadata: Mapping[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """One source as it was when it was read.

    Attributes:
        key: absolute path, or `memory:` and a digest. base: id of its documents before their suffixes.
        root: the source the user named that it came from; equal to `key` for a file named directly.
        size, changed: bytes and modification time (ns) of the file. looked: when it was read (ns).
        raw: digest of its bytes. rows: its documents. problems: (source, why, remedy) of what could not be read.
        grammar: that it was cut by, where it is code.
    """

    key: str
    base: str
    root: str = ""
    size: int = 0
    changed: int = 0
    looked: int = 0
    raw: str = ""
    rows: tuple[Row, ...] = ()
    problems: tuple[tuple[str, str, str], ...] = ()
    notes: tuple[str, ...] = ()
    grammar: str = ""

    def named(self, base: str, root: str) -> Entry:
        """The same entry with its documents' ids built on another base."""
        if (base, root) == (self.base, self.root):
            return self
        return replace(self, base=base, root=root, rows=tuple(replace(r, id=base + r.suffix) for r in self.rows))


@dataclass(frozen=True)
class Catalogue:
    """Every source, in order, and the chunking their documents were cut with."""

    entries: tuple[Entry, ...] = ()
    chunking: Chunking = field(default_factory=Chunking)
    removed: tuple[str, ...] = ()

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Every document, in order."""
        gone = set(self.removed)
        return tuple(row for entry in self.entries for row in entry.rows if row.id not in gone)

    @cached_property
    def manifest(self) -> str:
        """Hash of ids, digests and chunking: equal exactly when an index built for one fits the other."""
        return manifest_of(self.chunking.digest, ((row.id, row.stored.digest) for row in self.rows))

    @cached_property
    def problems(self) -> tuple[UnreadableDocument, ...]:
        """What could not be read, in order."""
        return tuple(UnreadableDocument(*problem) for entry in self.entries for problem in entry.problems)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a person should know: guessed encodings, documents that hold the same text."""
        told = (note for entry in self.entries for note in entry.notes)
        return (*told, *_untreed(self.entries, self.chunking), *_twins(self.rows))

    @cached_property
    def segments(self) -> frozenset[str]:
        """Names of the text files that any document lies in."""
        return frozenset(row.stored.segment for entry in self.entries for row in entry.rows)

    def lines(self) -> Iterator[bytes]:
        """JSON lines that `read` turns back into an equal catalogue."""
        yield _line(["catalogue", asdict(self.chunking), self.removed])
        for entry in self.entries:
            head = [entry.key, entry.base, entry.root, entry.size, entry.changed, entry.looked, entry.raw]
            yield _line([*head, entry.problems, entry.notes, entry.grammar, len(entry.rows)])
            for row in entry.rows:
                yield _line([row.id, row.source, astuple(row.stored), row.suffix, row.title, row.pages, row.metadata])

    @classmethod
    def read(cls, lines: Iterable[bytes]) -> Catalogue:
        """The catalogue that `lines` wrote.

        Raises:
            ValueError, TypeError, StopIteration: the lines are not a catalogue.
        """
        values = map(json.loads, lines)
        _, chunking, removed = next(values)
        entries = []
        for key, base, root, size, changed, looked, raw, problems, notes, grammar, count in values:
            rows = tuple(_row(next(values)) for _ in range(count))
            passed = tuple((source, why, remedy) for source, why, remedy in problems)
            entries.append(Entry(key, base, root, size, changed, looked, raw, rows, passed, tuple(notes), grammar))
        return cls(tuple(entries), Chunking(**chunking), tuple(removed))


def manifest_of(chunking: str, documents: Iterable[tuple[str, str]]) -> str:
    """Hash of a chunking's digest and (id, digest) pairs."""
    hashed = hashlib.sha256(chunking.encode())
    for name, digest in documents:
        hashed.update(f"\n{json.dumps(name)} {digest}".encode())
    return hashed.hexdigest()[:32]


def _row(value: list[object]) -> Row:
    name, source, stored, suffix, title, pages, metadata = value
    return Row(name, source, Stored(*stored), suffix, title, tuple(pages), metadata)  # type: ignore[arg-type, misc]


def _line(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _untreed(entries: Iterable[Entry], chunking: Chunking) -> Iterator[str]:
    """One note for all code that was cut as text because the extra `code` is not installed."""
    code = [entry for entry in entries if entry.rows and not entry.grammar and grammar_of(entry.key)]
    if code and chunking.code:
        named = code[0].base if len(code) == 1 else f"{len(code):,} files of code, {code[0].base} first,"
        yield f"{named} cut as text, not by syntax: pip install 'ragctx[code]'"


# So many copies are told one by one.
_NAMED = 3


def _twins(rows: Iterable[Row]) -> Iterator[str]:
    """Documents whose text another one has; of many one note, since every answer repeats it."""
    first: dict[str, str] = {}
    pairs = [(row.id, known) for row in rows if (known := first.setdefault(row.stored.digest, row.id)) != row.id]
    if len(pairs) <= _NAMED:
        yield from (f"{name} has the same text as {known}: stored once, listed twice" for name, known in pairs)
    else:
        (name, known), count = pairs[0], len(pairs)
        yield f"{count:,} documents have the same text as others ({name} as {known}, first): stored once, listed twice"
