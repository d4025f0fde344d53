"""Hybrid retrieval: BM25 and dense vectors, fused by rank; BM25 alone where there is no encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ragctx.corpus import Corpus
from ragctx.errors import ConfigError
from ragctx.models import Models
from ragctx.retrievers.bm25 import BM25
from ragctx.retrievers.dense import ROLE, Dense
from ragctx.retrievers.fusion import fuse
from ragctx.retrievers.merging import NAMED, context
from ragctx.retrievers.ranking import HEAD, Ranking
from ragctx.types import Context, Question
from ragctx.work import Work

# No remedy here: an encoder may be missing, or left out on purpose; whoever binds the models knows which.
ALONE = "hybrid is BM25 alone: no model plays the role 'encoder'"


@dataclass(frozen=True, slots=True)
class Hybrid:
    """Fuses what words find with what vectors find (reciprocal rank fusion, Cormack et al., SIGIR 2009).

    Passages carry the fused score, which only orders them. Without a model that plays "encoder" the result is that of
    BM25, and its notes say so.

    Attributes:
        bm25, dense: weights of the two rankings. The small default encoder is the weaker of the two on long documents
            and the stronger on short ones; with a large encoder equal weights are the better start.
        k: see `fusion.fuse`; 10 instead of the paper's 60, since ten chunks and not a thousand are read, and the
            first places matter.
        depth: chunks taken from each ranking at least.
        merge: join neighbouring chunks of the result into one passage.

    Raises:
        ConfigError: a weight below zero, or both zero.

    Example:
        >>> from ragctx.work import run
        >>> corpus = Corpus.of("Notice is three months.", "Pets are fine.")
        >>> run(Hybrid().retrieve(Question("Are pets allowed?"), corpus, 5, Models())).notes
        ("hybrid is BM25 alone: no model plays the role 'encoder'",)
    """

    name: ClassVar[str] = "hybrid"

    bm25: float = 1.5
    dense: float = 1.0
    k: float = 10.0
    depth: int = 100
    merge: bool = True

    def __post_init__(self) -> None:
        if min(self.bm25, self.dense) < 0 or self.bm25 + self.dense <= 0 or self.k < 0:
            raise ConfigError("hybrid needs weights not below zero, one of them above, and k not below zero")

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Bring both indexes up to date."""
        yield from BM25().prepare(corpus, models)
        if models.has(ROLE):
            yield from Dense().prepare(corpus, models)

    def retrieve(self, question: Question, corpus: Corpus, limit: int, models: Models) -> Work[Context]:
        """At most `limit` chunks, best first; `dropped` names the up to ten next ranks, not everything either found."""
        depth = max(self.depth, limit + NAMED)
        words = BM25().rank(question, corpus, depth)
        if not models.has(ROLE):
            alone = replace(words, notes=(*words.notes, ALONE))
            return context(corpus, alone, limit, merge=self.merge)
        vectors = yield from Dense().rank(question, corpus, depth, models)
        return context(corpus, self._fused(words, vectors), limit, merge=self.merge)

    def _fused(self, words: Ranking, vectors: Ranking) -> Ranking:
        chunks, scores = fuse([words.chunks, vectors.chunks], [self.bm25, self.dense], self.k)
        signals = {**words.signals, **vectors.signals, "disagreement": disagreement(words.chunks, vectors.chunks)}
        return Ranking(chunks, scores, signals, tuple(dict.fromkeys((*words.notes, *vectors.notes))))


def disagreement(one: Sequence[int] | np.ndarray, other: Sequence[int] | np.ndarray) -> float:
    """Share of the best ten of two rankings that stand in one of them only, 0 to 1.

    Example:
        >>> disagreement([1, 2], [2, 1]), disagreement([1, 2], [3, 4])
        (0.0, 1.0)
    """
    left, right = set(map(int, one[:HEAD])), set(map(int, other[:HEAD]))
    return 1 - len(left & right) / len(left | right) if left | right else 0.0
