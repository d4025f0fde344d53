"""Postings of one segment: for every term the rows (chunks) it stands in and how often, as four flat arrays.

Counts are stored, not scores. An index of ready-made scores (bm25s) holds the document frequencies and the average
length of the day it was built, so that adding one file to it means building it again, and it counts chunk by chunk in
Python. From counts the exact BM25 score over any number of segments is a few vector operations a question word, and
segments can be added, thinned and joined without reading a text again. The tests compare with bm25s.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ragctx.retrievers.tokens import IGNORED, Vocabulary, fingerprint, words

_ARRAYS = ("terms", "starts", "rows", "counts", "lengths")
_MOST = np.iinfo(np.uint16).max


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """The postings of at most 65,536 rows.

    Attributes:
        terms: sorted fingerprints of the terms, uint64, shape (terms,).
        starts: where each term's postings begin, int64, shape (terms + 1,).
        rows: uint16, shape (postings,), rising within a term. counts: occurrences in that row, uint16.
        lengths: terms in each row, uint32, shape (rows,).
    """

    terms: np.ndarray
    starts: np.ndarray
    rows: np.ndarray
    counts: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, texts: Iterable[str]) -> Postings:
        """The postings of texts, one row each.

        Example:
            >>> postings = Postings.of(["rent and rent", "keys", ""])
            >>> rows, counts = postings.find(fingerprint("rent"))
            >>> rows.tolist(), counts.tolist(), postings.lengths.tolist()
            ([0], [2], [2, 1, 0])
        """
        vocabulary, numbers, ends = Vocabulary(), array("i"), array("q")
        number = vocabulary.__getitem__
        for text in texts:
            numbers.extend(map(number, words(text)))
            ends.append(len(numbers))
        prints = np.fromiter(map(fingerprint, vocabulary.terms), np.uint64, len(vocabulary.terms))
        found = np.frombuffer(numbers, np.int32) if numbers else np.zeros(0, np.int32)
        borders = np.concatenate(([0], np.array(ends, np.int64)))
        rows = np.repeat(np.arange(len(ends)), borders[1:] - borders[:-1])
        real = found != IGNORED
        return cls._count(prints, found[real], rows[real], len(ends))

    @classmethod
    def _count(cls, prints: np.ndarray, numbers: np.ndarray, rows: np.ndarray, height: int) -> Postings:
        order = np.argsort(prints)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        keys = rank[numbers] * max(height, 1) + rows
        keys.sort()
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        counts = np.diff(first, append=len(keys))
        term, row = np.divmod(keys[first], max(height, 1))
        lengths = np.bincount(rows, minlength=height)
        return cls._pack(prints[order], term, row, counts, lengths)

    @classmethod
    def _pack(
        cls, prints: np.ndarray, term: np.ndarray, row: np.ndarray, counts: np.ndarray, lengths: np.ndarray
    ) -> Postings:
        used, starts = np.unique(term, return_index=True)
        return cls(
            prints[used],
            np.append(starts, len(term)).astype(np.int64),
            row.astype(np.uint16),
            np.minimum(counts, _MOST).astype(np.uint16),
            lengths.astype(np.uint32),
        )

    def find(self, print_: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows a term stands in, and how often; empty where it stands nowhere."""
        at = int(np.searchsorted(self.terms, np.uint64(print_)))
        if at == len(self.terms) or int(self.terms[at]) != print_:
            return self.rows[:0], self.counts[:0]
        here = slice(int(self.starts[at]), int(self.starts[at + 1]))
        return self.rows[here], self.counts[here]

    def keep(self, rows: np.ndarray) -> Postings:
        """The postings without some rows; those that stay move up.

        Args:
            rows: for each row whether it stays, bool.
        """
        stays = rows[self.rows]
        moved = np.cumsum(rows) - 1
        term = np.repeat(np.arange(len(self.terms)), np.diff(self.starts))[stays]
        return self._pack(self.terms, term, moved[self.rows[stays]], self.counts[stays], self.lengths[rows])

    @classmethod
    def join(cls, several: Sequence[Postings]) -> Postings:
        """The postings of several, one below the other.

        Example:
            >>> both = Postings.join([Postings.of(["a rent"]), Postings.of(["keys", "rent"])])
            >>> both.find(fingerprint("rent"))[0].tolist()
            [0, 2]
        """
        prints, where = np.unique(np.concatenate([one.terms for one in several]), return_inverse=True)
        first_row = np.cumsum([0, *(len(one.lengths) for one in several)])
        sizes = np.concatenate([np.diff(one.starts) for one in several])
        term = np.repeat(where, sizes)
        row = np.concatenate(
            [one.rows.astype(np.int64) + first for one, first in zip(several, first_row, strict=False)]
        )
        counts = np.concatenate([one.counts for one in several])
        order = np.lexsort((row, term))
        lengths = np.concatenate([one.lengths for one in several])
        return cls._pack(prints, term[order], row[order], counts[order], lengths)

    def save(self, folder: Path) -> None:
        """Write the arrays into a new folder."""
        folder.mkdir()
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def open(cls, folder: Path) -> Postings:
        """The postings in a folder, memory-mapped: a question touches only its own words' pages."""
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in _ARRAYS))
