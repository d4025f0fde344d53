"""Keeps segments few and full: small ones are merged, and those that are mostly rubbish are written anew."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from ragctx.corpus.catalogue import Catalogue
from ragctx.corpus.chunking import Chunking
from ragctx.corpus.segment import Segment
from ragctx.corpus.store import Store
from ragctx.corpus.text import Source, Stored, StoredText

MOST = 32
MERGED = 24
_BLOCK = 1 << 16


def compacted(catalogue: Catalogue, store: Store, chunking: Chunking) -> Catalogue:
    """The same catalogue, with some segments' texts moved to a new one where that is worth it; else itself."""
    worn = worn_out(store, live(catalogue))
    if not worn:
        return catalogue
    moved: dict[Stored, Stored] = {}
    name = f"s{uuid.uuid4().hex[:12]}"
    with Segment(store.segments, name, chunking, {}) as segment:
        for stored in dict.fromkeys(_all(catalogue)):
            if stored.segment in worn:
                moved[stored] = _move(stored, segment, store)
    entries = (
        replace(entry, rows=tuple(replace(row, stored=moved.get(row.stored, row.stored)) for row in entry.rows))
        for entry in catalogue.entries
    )
    return replace(catalogue, entries=tuple(entries))


def live(catalogue: Catalogue) -> Counter[str]:
    """Bytes of each segment that some document lies in."""
    sizes: Counter[str] = Counter()
    for stored in dict.fromkeys(_all(catalogue)):
        sizes[stored.segment] += stored.size
    return sizes


def worn_out(store: Store, sizes: Counter[str]) -> set[str]:
    """Segments worth writing anew: less than half of one is used, or there are many and it is among the smallest."""
    worn = {name for name, size in sizes.items() if size * 2 < store.text_file(name).stat().st_size}
    if len(sizes) > MOST:
        worn.update(sorted(sizes, key=sizes.__getitem__)[:MERGED])
    return worn


def _move(stored: Stored, segment: Segment, store: Store) -> Stored:
    bounds = store.bounds(stored.segment)[stored.chunk : stored.chunk + stored.chunks]
    return segment.copy(StoredText(stored, Source(store.text_file(stored.segment))), bounds)


def _all(catalogue: Catalogue) -> Iterable[Stored]:
    return (row.stored for entry in catalogue.entries for row in entry.rows)
