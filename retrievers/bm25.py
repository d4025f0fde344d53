"""BM25: the chunks that share the question's rarer words. Needs no model."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from ragctx.corpus import Corpus
from ragctx.models import Models
from ragctx.retrievers import inverted, segments
from ragctx.retrievers.merging import NAMED, context
from ragctx.retrievers.ranking import HEAD, NONE_ADMITTED, Ranking, best, shape
from ragctx.retrievers.tokens import VERSION, terms
from ragctx.types import Context, Question
from ragctx.work import Work

NO_WORDS = "the question has no words to search for"
NO_MATCH = "no passage shares a word with the question"
# Many questions over one new corpus start at once: the first builds, the others find it built.
_BUILDING = threading.Lock()


@dataclass(frozen=True, slots=True)
class BM25:
    """Ranks chunks by the words they share with the question (Robertson et al., TREC-3; Lucene's form).

    Neither method ever yields: no model is asked. Chunks that share no word with the question are never returned.

    Attributes:
        k1: the higher, the longer repeating a word goes on helping. b: how much long chunks are held back, 0 to 1;
            chunks are of about one length, so less than the usual 0.75 is better.
        merge: join neighbouring chunks of the result into one passage.

    Example:
        >>> from ragctx.work import run
        >>> corpus = Corpus.of("Notice is three months.", "Pets are fine.")
        >>> found = run(BM25().retrieve(Question("Are pets allowed?"), corpus, 5, Models()))
        >>> [passage.text for passage in found.passages]
        ['Pets are fine.']
    """

    name: ClassVar[str] = "bm25"

    k1: float = 0.9
    b: float = 0.4
    merge: bool = True

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Index what is not indexed yet; at once when nothing changed."""
        self._folder(corpus.base)
        yield from ()

    def retrieve(self, question: Question, corpus: Corpus, limit: int, models: Models) -> Work[Context]:
        """At most `limit` chunks that share a word with the question, best first.

        `dropped` names the up to ten next ranks, not every chunk that shares a word.
        """
        yield from ()
        return context(corpus, self.rank(question, corpus, limit + NAMED), limit, merge=self.merge)

    def rank(self, question: Question, corpus: Corpus, depth: int) -> Ranking:
        """The best `depth` chunks with their scores, and the signals `bm25_*`, all 0 to 1.

        `bm25_top1`: the best score as a share of what the question's words could give. `bm25_coverage`: share of the
        question's words in the best chunk. The rest: see `ranking.shape`.
        """
        admitted = corpus.mask(question.where)
        asked = terms(question.text)
        if not asked or not admitted.any():
            return Ranking.none(NONE_ADMITTED if asked else NO_WORDS)
        index = segments.opened(self._folder(corpus.base), inverted.Inverted.open)
        hits = _hits(index, tuple(asked), self.k1, self.b)
        scores = hits.scores[corpus.rows]
        chunks, scores = best(scores, admitted & (scores > 0), max(depth, HEAD))
        if not len(chunks):
            return Ranking.none(NO_MATCH)
        signals = {
            "bm25_top1": float(scores[0]) / hits.ceiling,
            "bm25_coverage": hits.coverage(int(corpus.rows[chunks[0]])),
            **shape("bm25", scores, corpus.chunks.document_index[chunks]),
        }
        return Ranking(chunks[:depth], scores[:depth], signals)

    def _folder(self, corpus: Corpus) -> Path:
        """The folder of the current index, built now where there is none; k1 and b matter to questions only."""
        slot = corpus.slot(f"bm25-{VERSION}")
        with _BUILDING:
            return slot.current or inverted.build(corpus, slot)


@lru_cache(maxsize=8)
def _hits(index: inverted.Inverted, asked: tuple[str, ...], k1: float, b: float) -> inverted.Hits:
    """A question's scores, kept for a moment: the router's signals and a strategy's plan look them up in turn."""
    return index.score(asked, k1, b)
