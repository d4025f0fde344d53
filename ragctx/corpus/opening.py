"""An opened store together with what it was asked to describe."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from ragctx.corpus.catalogue import Catalogue, Row
from ragctx.corpus.chunking import Chunking
from ragctx.corpus.progress import Report
from ragctx.corpus.sources import Source, TextItem
from ragctx.corpus.store import State, Store
from ragctx.corpus.updating import Wanted, bring
from ragctx.errors import InputError, UnreadableDocument
from ragctx.folders import cache_folder


@dataclass(frozen=True, slots=True)
class Opened:
    """A store's state, what it was asked to describe, and notes on how it was opened."""

    store: Store
    state: State
    wanted: Wanted
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every document of the state."""
        return self.state.catalogue.rows

    def must_hold_documents(self) -> None:
        """Refuse sources that gave no document at all.

        Raises:
            UnreadableDocument: with the first of the reasons.
        """
        if self.rows:
            return
        problems = self.state.catalogue.problems
        found = f"none of its {len(problems)} files could be read (first: {problems[0]})" if problems else ""
        sources = ", ".join(each if isinstance(each, str) else each.base for each in self.wanted.sources)
        remedy = "put .txt, .md, .html, .pdf, .docx, .jsonl or .csv files there"
        raise UnreadableDocument(sources, found or "it holds no files", remedy)


def brought(store: Store, wanted: Wanted, report: Report | None) -> Opened:
    """A store that was brought up to date; the texts it holds by now are held nowhere else."""
    state, notes = bring(store, wanted, report)
    return Opened(store, state, replace(wanted, sources=_without_texts(wanted.sources)), notes)


def as_it_was(folder: Path | str | None) -> Opened:
    """A store as it was left, without a look at its sources.

    Raises:
        InputError: there is no store, or no folder was given.
    """
    if folder is None:
        raise InputError("a corpus needs documents: give at least one file, folder or text")
    store = Store(Path(folder).absolute())
    state = store.open()
    if state is None:
        raise InputError(f"{folder} holds no corpus: give the files to index as well")
    catalogue = state.catalogue
    return Opened(store, state, Wanted(_sources(catalogue), catalogue.chunking, catalogue.removed))


def place_of(sources: Sequence[Source], chunking: Chunking) -> Path:
    """The default folder of a store: one for each list of sources and chunking."""
    keys = (each if isinstance(each, str) else each.key for each in sources)
    name = hashlib.sha256("\n".join([chunking.digest, *keys]).encode("utf-8", "surrogatepass"))
    return cache_folder("corpora") / name.hexdigest()[:24]


def _sources(catalogue: Catalogue) -> tuple[Source, ...]:
    sources: list[Source] = []
    for root, entries in groupby(catalogue.entries, key=lambda entry: entry.root):
        first = next(entries)
        sources.append(TextItem(first.key, first.base) if root.startswith("memory:") else root)
    return tuple(dict.fromkeys(sources))


def _without_texts(sources: Sequence[Source]) -> tuple[Source, ...]:
    return tuple(each if isinstance(each, str) else replace(each, document=None) for each in sources)
