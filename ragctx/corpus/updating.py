"""Opens a store for some sources, bringing it up to date first where it is not."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ragctx.corpus.build import build, current
from ragctx.corpus.catalogue import Catalogue
from ragctx.corpus.chunking import Chunking
from ragctx.corpus.compaction import compacted
from ragctx.corpus.progress import Report
from ragctx.corpus.sources import Item, Source, TextItem, items
from ragctx.corpus.store import State, Store
from ragctx.errors import StoreCorrupt

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a store should describe.

    Attributes:
        sources: in order. chunking: how to cut. removed: ids of documents to leave out.
    """

    sources: tuple[Source, ...]
    chunking: Chunking
    removed: tuple[str, ...] = ()

    def plus(self, more: Sequence[Source]) -> Wanted:
        """With more sources: a text takes the place of the one of its id, and what was removed is back when named."""
        bases = {item.base for item in items(more)}
        texts = {each.base for each in more if isinstance(each, TextItem) and not each.shared}
        kept = [each for each in self.sources if isinstance(each, str) or each.base not in texts]
        removed = tuple(id for id in self.removed if id not in bases and id.rpartition("#")[0] not in bases)
        return replace(self, sources=tuple(dict.fromkeys([*kept, *more])), removed=removed)

    def minus(self, ids: Collection[str]) -> Wanted:
        """Without the documents of some ids."""
        kept = tuple(each for each in self.sources if isinstance(each, str) or each.base not in ids)
        return replace(self, sources=kept, removed=(*self.removed, *ids))

    def there(self) -> Wanted:
        """Without files and folders that are gone."""
        there = tuple(each for each in self.sources if isinstance(each, TextItem) or Path(each).exists())
        return replace(self, sources=there)


def bring(store: Store, wanted: Wanted, report: Report | None = None) -> tuple[State, tuple[str, ...]]:
    """The state that describes what is wanted, and notes on what had to be done for it.

    Nothing is locked or written when the store is up to date already. A damaged store is built anew, with a note,
    where every source can be read again.

    Raises:
        UnreadableDocument: a source the user named cannot be read.
        StoreLocked, StoreFull, StoreError: the store cannot be written.
        StoreCorrupt: it is damaged and some text was only in it.
    """
    listed = items(wanted.sources, besides=store.folder)
    state, notes = _opened(store, listed)
    if state is not None and _fits(state.catalogue, listed, wanted):
        return state, notes
    with store.changing():
        # Whoever held the lock before may have done our work.
        state, notes = _opened(store, listed)
        if state is not None and _fits(state.catalogue, listed, wanted):
            return state, notes
        old = state.catalogue if state else Catalogue()
        entries = build(listed, old, wanted.chunking, store.segments, report)
        fresh = Catalogue(entries, wanted.chunking, wanted.removed)
        if state is not None and fresh == old:
            return state, notes
        return store.commit(compacted(fresh, store, wanted.chunking)), notes


def _fits(catalogue: Catalogue, listed: Sequence[Item], wanted: Wanted) -> bool:
    return catalogue.removed == wanted.removed and current(listed, catalogue, wanted.chunking)


def _opened(store: Store, listed: Sequence[Item]) -> tuple[State | None, tuple[str, ...]]:
    try:
        return store.open(), ()
    except StoreCorrupt as error:
        if any(isinstance(item, TextItem) and item.document is None for item in listed):
            raise
        _log.warning("%s; building it anew", error)
        return None, (f"the store was damaged and was built anew from its sources ({error})",)
