"""The BM25 index over a corpus: segments of postings, scored as if they were one.

Document frequencies, the number of chunks and the average length are taken over all segments when a question is
asked, so the scores are those of one index built at once, to the last bit of the formula:

    score(q, d) = sum over words w of q:  ln(1 + (N - df + 0.5) / (df + 0.5)) * tf / (tf + k1 (1 - b + b |d| / avg))

the form that Lucene uses (Kamphuis et al., ECIR 2020).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ragctx.corpus import Corpus, IndexSlot
from ragctx.retrievers import segments
from ragctx.retrievers.parts import Placed, of_corpus, pack, reuse, texts
from ragctx.retrievers.postings import Postings
from ragctx.retrievers.tokens import fingerprint

Found = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """What a question's words found.

    Attributes:
        scores: BM25 of every chunk, float32, shape (chunks,).
        ceiling: the score that no chunk can exceed for these words.
        places: for each segment the chunk number of every row.
        found: for each distinct word and each segment, rows and counts.
    """

    scores: np.ndarray
    ceiling: float
    places: tuple[np.ndarray, ...]
    found: tuple[tuple[Found, ...], ...]

    def coverage(self, chunk: int) -> float:
        """Share of the question's distinct words that stand in a chunk."""
        segment, row = next((n, int(at[0])) for n, p in enumerate(self.places) if len(at := np.flatnonzero(p == chunk)))
        return sum(row in found[segment][0] for found in self.found) / max(1, len(self.found))


@dataclass(frozen=True, slots=True, eq=False)
class Inverted:
    """An opened index; its postings stay on disk and are mapped in as words ask for them.

    Attributes:
        postings: one for each segment.
        places: for each segment the chunk number of every row.
        lengths: for each segment the terms in every row, float32.
    """

    postings: tuple[Postings, ...]
    places: tuple[np.ndarray, ...]
    lengths: tuple[np.ndarray, ...]

    @classmethod
    def open(cls, folder: Path) -> Inverted:
        """The index in a folder."""
        listed = segments.read(folder)
        postings = tuple(Postings.open(path) for path, _ in listed)
        lengths = tuple(one.lengths.astype(np.float32) for one in postings)
        return cls(postings, tuple(segments.places(folder, listed)), lengths)

    def score(self, terms: Sequence[str], k1: float, b: float) -> Hits:
        """BM25 of every chunk for a question's terms; a term that is repeated counts as often.

        Segment by segment, so that what is added up stays in the processor's cache.
        """
        chunks = sum(map(len, self.lengths))
        average = sum(float(lengths.sum(dtype=np.float64)) for lengths in self.lengths) / max(chunks, 1) or 1.0
        asked = Counter(terms)
        found = tuple(tuple(one.find(fingerprint(term)) for one in self.postings) for term in asked)
        weights = [times * _idf(each, chunks) for each, times in zip(found, asked.values(), strict=True)]
        scores = np.zeros(chunks, np.float32)
        for number, (place, lengths) in enumerate(zip(self.places, self.lengths, strict=True)):
            norm = k1 * (1 - b + b / average * lengths)
            here = np.zeros(len(place), np.float32)
            for weight, (rows, counts) in zip(weights, (each[number] for each in found), strict=True):
                here[rows] += weight * (counts / (counts + norm[rows]))
            scores[place] = here
        return Hits(scores, sum(weights), self.places, found)


def _idf(found: Sequence[Found], chunks: int) -> float:
    holding = sum(len(rows) for rows, _ in found)
    return math.log(1 + (chunks - holding + 0.5) / (holding + 0.5))


def build(corpus: Corpus, slot: IndexSlot) -> Path:
    """Make the index of a corpus, taking over what an older one still says.

    Memory is bounded by one segment, whatever the corpus holds.
    """
    older = segments.read(slot.previous) if slot.previous else []
    kept, missing = reuse(of_corpus(corpus), [parts for _, parts in older])
    taken = [
        segments.Segment(keep.parts, segments.link(path) if keep.whole else partial(_thin, path, keep.rows))
        for (path, _), keep in zip(older, kept, strict=True)
    ]
    new = [segments.Segment(tuple(group), partial(_index, corpus, group)) for group in pack(missing)]
    return segments.put(slot, segments.compact([*taken, *new], _join))


def _index(corpus: Corpus, group: Sequence[Placed], folder: Path) -> None:
    Postings.of(texts(corpus, group)).save(folder)


def _thin(older: Path, rows: np.ndarray, folder: Path) -> None:
    Postings.open(older).keep(rows).save(folder)


def _join(pieces: Sequence[Path], folder: Path) -> None:
    Postings.join([Postings.open(piece) for piece in pieces]).save(folder)
