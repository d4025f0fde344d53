"""Sorts what a retriever found by what a model makes of it, and cuts off what is far behind."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean, pstdev
from typing import cast

from ragctx.corpus import Corpus
from ragctx.errors import ConfigError
from ragctx.models import Models
from ragctx.strategies.chunk_sizes import chunk_tokens
from ragctx.strategies.finding import titles
from ragctx.types import Context, Dropped, Line, Passage, Question, Range
from ragctx.types.costs import ZERO
from ragctx.work import Failure, Relevances, Rerank, Work

Ranges = tuple[tuple[int, int], ...]
ROLE = "ranker"
# A probability as near to 0 or 1 is taken for no nearer, so that no passage outweighs all others.
_CERTAIN = 1e-6
# Tokens that a ranker puts around a question, a title and a passage, about.
_MARKS = 4
# What is read twice where windows over a long passage overlap, at most.
_OVERLAP = 2.5


@dataclass(frozen=True, slots=True)
class Reranking:
    """How passages are sorted, and how many of them stay.

    Sorted by the sum of two scores, each with mean 0 and deviation 1 over the passages found: the log-odds that the
    model gives them, and what the retriever said. Words and vectors see a whole corpus and the model one passage at a
    time; of texts like those it was trained on the model knows more, of others they do.

    Cut at the largest gap: where the model's probabilities, sorted, fall by the largest factor, everything after it
    goes if that factor is `gap` at least. And what is below `floor` goes in any case.

    Attributes:
        model, retrieval: weights of the two scores.
        k: where the retriever told no scores, 1 / (k + place) is one.
        gap: the factor. blur: added to both probabilities before they are divided: near zero factors mean nothing.
        floor: a probability. least: passages that stay whatever is said of them; 1 at least.

    Raises:
        ConfigError: a figure makes no sense.
    """

    model: float = 1.0
    retrieval: float = 0.75
    k: float = 10.0
    gap: float = 8.0
    blur: float = 0.02
    floor: float = 0.02
    least: int = 3

    def __post_init__(self) -> None:
        if min(self.model, self.retrieval, self.floor) < 0 or self.model + self.retrieval <= 0 or self.k < 0:
            raise ConfigError("reranking needs k, floor and weights not below zero, and one weight above")
        if self.gap < 1 or self.blur <= 0 or self.least < 1:
            raise ConfigError("reranking needs a gap of at least 1, a blur above 0, and at least 1 passage that stays")

    def scores(self, values: Sequence[float], told: Sequence[float | None] = ()) -> list[float]:
        """The fused score of each passage, above 0 for those that are better than most.

        Args:
            values: how likely each passage answers, in the retriever's order.
            told: what the retriever said of each; where it said nothing of one, places count instead.

        Example:
            >>> [round(score, 2) for score in Reranking().scores([0.1, 0.2, 0.9])]
            [0.03, -0.54, 0.5]
            >>> [round(score, 2) for score in Reranking().scores([0.1, 0.2, 0.9], [7.0, 6.9, 2.0])]
            [-0.36, 0.03, 0.33]
        """
        known = [score for score in told if score is not None]
        found = known if len(known) == len(values) else [1 / (self.k + place) for place in range(1, len(values) + 1)]
        pairs = zip(_standard(list(map(_log_odds, values))), _standard(found), strict=True)
        return [self.model * likely + self.retrieval * ahead for likely, ahead in pairs]

    def bar(self, values: Sequence[float]) -> float:
        """The probability from which a passage stays; `least` passages stay below it, too.

        Example:
            >>> Reranking().bar([0.01, 0.9, 0.8, 0.05]), Reranking().bar([0.5, 0.4, 0.3])
            (0.8, 0.02)
        """
        falling = sorted(values, reverse=True)
        falls = [((one + self.blur) / (other + self.blur), one) for one, other in pairwise(falling)]
        factor, last = max(falls, key=lambda fall: fall[0], default=(1.0, 0.0))
        return max(self.floor, last) if factor >= self.gap else self.floor


def _log_odds(value: float) -> float:
    kept = min(max(value, _CERTAIN), 1 - _CERTAIN)
    return math.log(kept / (1 - kept))


def _standard(scores: Sequence[float]) -> list[float]:
    """Scores with mean 0 and deviation 1; all 0 where they are equal."""
    mean, spread = fmean(scores or (0.0,)), pstdev(scores or (0.0,))
    return [(score - mean) / spread if spread else 0.0 for score in scores]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Passages, best first, and what a model said of all that were found, for whoever wants to know more of it.

    Attributes:
        context: what stays; the rest is in its `dropped`.
        request, reply: what was asked and what came back; None where nobody was asked.
    """

    context: Context
    request: Rerank | None = None
    reply: Relevances | None = None


def reranked(
    question: Question, found: Context, corpus: Corpus, how: Reranking, units: tuple[Ranges, ...] = ()
) -> Work[Ranked]:
    """The passages by the fused order, without those that are far behind.

    A model that fails leaves everything as it was found, and a note.

    Args:
        question: what is asked.
        found: passages, best first.
        corpus: where the passages' documents are looked up.
        how: the figures.
        units: what of every passage is to be weighed by itself, since the model reads a passage once for both.
    """
    if not found.passages:
        return Ranked(found)
    request = replace(asked(question, found.passages, corpus, units), tolerant=True)
    [reply] = yield [request]
    if isinstance(reply, Failure):
        note = f"passages are in the order in which they were found, and whole: the ranker failed ({reply.message})"
        return Ranked(replace(found, notes=(*found.notes, note)))
    said = cast("Relevances", reply)
    return Ranked(cut(found, said.values, how), request, said)


def cut(found: Context, values: Sequence[float], how: Reranking) -> Context:
    """Passages in the fused order; those far behind are dropped.

    Args:
        found: passages, best first by the retriever.
        values: how likely each answers.
        how: the figures.
    """
    scores, bar = how.scores(values, [passage.score for passage in found.passages]), how.bar(values)
    order = sorted(range(len(values)), key=lambda i: (-scores[i], i))
    likeliest = sorted(order, key=lambda i: -values[i])
    staying = {i for i in order if values[i] >= bar} | set(likeliest[: how.least])
    dropped = tuple(
        Dropped(span, f"reranked {place} of {len(order)}: {values[i]:.2f} likely to answer")
        for place, i in enumerate(order, start=1)
        if i not in staying
        for span in found.passages[i].spans
    )
    return Context(
        tuple(replace(found.passages[i], score=scores[i]) for i in order if i in staying),
        (*found.dropped, *dropped),
        found.notes,
        {**found.signals, "relevance_max": max(values)},
    )


def asked(
    question: Question, passages: tuple[Passage, ...], corpus: Corpus, units: tuple[Ranges, ...] = (), answers: int = 0
) -> Rerank:
    """The request for passages, with their documents' titles.

    Args:
        question: what is asked.
        passages: what is weighed.
        corpus: where the passages' documents are looked up.
        units: what of every passage is weighed by itself.
        answers: the most answers to point out in each passage.
    """
    texts = tuple(passage.text for passage in passages)
    return Rerank(question.text, texts, ROLE, titles=titles(passages, corpus), units=units, answers=answers)


def line(question: Question, found: Context | None, limit: int, view: Corpus, models: Models) -> Line:
    """What one request costs.

    A ranker reads pair by pair, so it reads the question with every passage; one that bills the passages alone makes
    the low end, windows that overlap the high one.

    Args:
        question: what is asked.
        found: the passages; None where they are not known, and the corpus's mean chunk stands for each.
        limit: how many are looked for.
        view: what the question may read.
        models: facts about the models.
    """
    counter = models.of(ROLE).counter
    if found is None:
        pairs = min(limit, len(view.chunks))
        texts, named = pairs * chunk_tokens(view, counter), 0  # a heading is in it
    else:
        pairs = len(found.passages)
        texts = sum(counter.count(passage.text) for passage in found.passages)
        named = sum(map(counter.count, titles(found.passages, view)))
    read = texts + named + pairs * (counter.count(question.text) + _MARKS)
    return Line(ROLE, Range(0 if found is None else texts, read, _OVERLAP * read), ZERO, Range.exactly(min(1, pairs)))
