"""Ways to weigh sentences and passages: the shipped model, and the baselines it is measured against.

Each answers `Rerank` with a relevance for every text and a keep for every unit, so that one compressor prunes by all of
them: the same budget, the same filling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from testset import Words

from ragctx.work import Relevances, Reply, Request, Rerank, raised

Weigh = Callable[[Rerank], Relevances]


def serving(weigh: Weigh) -> Callable[[Sequence[Request]], list[Reply]]:
    """What drives a work whose every request is a `Rerank`."""
    return lambda requests: [weigh(request) for request in requests if isinstance(request, Rerank)]


def model(backend: Any) -> Weigh:
    """The model itself: each passage read once, its sentences weighed within it."""

    @cache  # the same passages are cut to more than one share
    def weigh(request: Rerank) -> Relevances:
        [reply] = backend.serve([request], lambda *_: None)
        weighed = raised(reply)
        assert isinstance(weighed, Relevances)
        return weighed

    return weigh


def dslr(backend: Any) -> Weigh:
    """Every sentence ranked as a text of its own by the same model (the way of DSLR, arXiv:2407.03627), titles told."""
    ask = model(backend)

    def weigh(request: Rerank) -> Relevances:
        given = request.titles or ("",) * len(request.texts)
        titles = tuple(title for title, units in zip(given, request.units, strict=True) for _ in units)
        return alone(lambda query, texts: ask(Rerank(query, tuple(texts), titles=titles)).values)(request)

    return weigh


def alone(score: Callable[[str, Sequence[str]], Sequence[float]]) -> Weigh:
    """Each sentence scored without its passage; a passage is worth its best sentence."""

    def weigh(request: Rerank) -> Relevances:
        texts = [t[start:end] for t, units in zip(request.texts, request.units, strict=True) for start, end in units]
        scores = iter(score(request.query, texts))
        keeps = tuple(tuple(float(next(scores)) for _ in units) for units in request.units)
        return Relevances(tuple(max(row, default=0.0) for row in keeps), keeps=keeps)

    return weigh


def bm25(words: Words) -> Weigh:
    """BM25 over sentences, scaled to 0..1."""

    def score(query: str, texts: Sequence[str]) -> list[float]:
        length = float(np.mean([len(text.split()) for text in texts])) if texts else 1.0
        found = [words.score(query, text, length) for text in texts]
        return [value / (max(found) * 1.001 or 1.0) for value in found]

    return alone(score)


@dataclass
class Cosine:
    """Likeness of embeddings of all-MiniLM-L6-v2, remembered by text."""

    encoder: Any

    def __post_init__(self) -> None:
        self._known: dict[str, np.ndarray] = {}

    def rows(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors [texts, width]."""
        from ragctx.work import Embed, Vectors

        new = tuple(dict.fromkeys(text for text in texts if text not in self._known))
        if new:
            [reply] = self.encoder.serve([Embed(new)], lambda *_: None)
            vectors = raised(reply)
            assert isinstance(vectors, Vectors)
            self._known.update(zip(new, vectors.rows, strict=True))
        return np.stack([self._known[text] for text in texts])

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """Cosine of every text with the question, at least 0."""
        if not texts:
            return []
        return np.clip(self.rows(texts) @ self.rows([query])[0], 0, 0.999).tolist()

    @property
    def weigh(self) -> Weigh:
        """By single sentences."""
        return alone(self.score)
