"""The BM25 index over a corpus: segments of postings, scored as if they were one.

Document frequencies, the number of chunks and the average length are taken over all segments when a question is
asked, so the scores are those of one index built at once, to the last bit of the formula:

    score(q, d) = sum over words w of q:  ln(1 + (N - df + 0.5) / (df + 0.5)) * tf / (tf + k1 (1 - b + b |d| / avg))

the form that Lucene uses (Kamphuis et al., ECIR 2020).
"""

from __future__ import annotations

import math
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


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """What a question's words found.

    Attributes:
        scores: BM25 of every chunk, float32, shape (chunks,).
        ceiling: the score that no chunk can exceed for these words.
        found: for each distinct word the chunks it stands in.
    """

    scores: np.ndarray
    ceiling: float
    found: tuple[np.ndarray, ...]

    def coverage(self, chunk: int) -> float:
        """Share of the question's distinct words that stand in a chunk."""
        return sum(bool((chunks == chunk).any()) for chunks in self.found) / max(1, len(self.found))


@dataclass(frozen=True, slots=True, eq=False)
class Inverted:
    """An opened index; its postings stay on disk and are mapped in as words ask for them.

    Attributes:
        postings: one for each segment. places: for each segment the chunk number of every row.
        lengths: terms of every chunk, float32, shape (chunks,).
    """

    postings: tuple[Postings, ...]
    places: tuple[np.ndarray, ...]
    lengths: np.ndarray

    @classmethod
    def open(cls, folder: Path) -> Inverted:
        """The index in a folder."""
        listed = segments.read(folder)
        postings = tuple(Postings.open(path) for path, _ in listed)
        places = tuple(segments.places(folder, listed))
        lengths = np.zeros(sum(map(len, places)), np.float32)
        for one, place in zip(postings, places, strict=True):
            lengths[place] = one.lengths
        return cls(postings, places, lengths)

    def score(self, terms: Sequence[str], k1: float, b: float) -> Hits:
        """BM25 of every chunk for a question's terms; a term that is repeated counts as often."""
        chunks = len(self.lengths)
        average = float(self.lengths.mean()) if chunks else 0.0
        scores = np.zeros(chunks, np.float32)
        ceiling, found = 0.0, {}
        for term in terms:
            at, counts = self._find(term)
            idf = math.log(1 + (chunks - len(at) + 0.5) / (len(at) + 0.5))
            norm = k1 * (1 - b + b * self.lengths[at] / (average or 1.0))
            scores[at] += idf * counts / (counts + norm)
            ceiling += idf
            found[term] = at
        return Hits(scores, ceiling, tuple(found.values()))

    def _find(self, term: str) -> tuple[np.ndarray, np.ndarray]:
        print_ = fingerprint(term)
        hits = [(place, *one.find(print_)) for place, one in zip(self.places, self.postings, strict=True)]
        if not hits:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        at = np.concatenate([place[rows] for place, rows, _ in hits])
        return at, np.concatenate([counts for _, _, counts in hits]).astype(np.float32)


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
