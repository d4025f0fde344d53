"""One `Rerank` request: the passes that it takes, and the reply that they make together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ragctx.encoders.extractive.calibration import NOWHERE, Calibration, sigmoid
from ragctx.encoders.extractive.pairs import ASKED, TITLE, Pass, lead, passes
from ragctx.encoders.extractive.pooling import Sight, means
from ragctx.encoders.extractive.session import Outputs
from ragctx.encoders.extractive.stretches import best, placed
from ragctx.encoders.extractive.words import LEAST_KNOWN, Tokens
from ragctx.encoders.spans import Borders, answers
from ragctx.work import Failure, Relevances, Rerank, Stretch

LOOKED = 5
"""Stretches of each pass that are looked at where units are weighed."""


class Seen(NamedTuple):
    """What one pass says, its answers as token places of the passage."""

    relevance: float
    sight: Sight
    answers: list[Borders]


def seen(one: Pass, outputs: Outputs, count: int) -> Seen:
    """What a pass's outputs say of the passage; at most `count` answers."""
    inside = slice(one.lead, len(one.ids) - 1)
    keep = sigmoid(outputs.keep[inside].astype(np.float64))
    found = answers(outputs.start, outputs.end, np.arange(inside.start, inside.stop), count=count) if count else []
    shift = one.begin - one.lead
    moved = [Borders(each.first + shift, each.last + shift, each.score) for each in found]
    return Seen(outputs.relevance, Sight(one.begin, one.end, keep), moved)


def refusal(request: Rerank) -> Failure | None:
    """What is wrong with a request; None where nothing is."""
    texts = request.texts
    if request.answers < 0:
        return Failure("bad_request", f"answers={request.answers}: ask for none (0) or some")
    if request.titles and len(request.titles) != len(texts):
        return Failure("bad_request", f"{len(request.titles)} titles for {len(texts)} texts: give one each, or none")
    if request.units and len(request.units) != len(texts):
        return Failure("bad_request", f"units of {len(request.units)} texts for {len(texts)} texts: give those of each")
    for number, (text, units) in enumerate(zip(texts, request.units, strict=False)):
        wrong = next(((a, b) for a, b in units if not 0 <= a <= b <= len(text)), None)
        if wrong is not None:
            told = f"unit {wrong} is no range of text {number}, which has {len(text)} characters"
            return Failure("bad_request", f"{told}: give 0 <= start <= end <= {len(text)}")
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """One text of a request with its passes.

    Attributes:
        first: token places where its units begin. last: places after their ends; both [units].
    """

    text: str
    tokens: Tokens
    passes: tuple[Pass, ...]
    first: np.ndarray
    last: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """A request that can be served."""

    request: Rerank
    texts: tuple[Ranked, ...]

    @staticmethod
    def read(request: Rerank) -> tuple[str, ...]:
        """Every text whose tokens are needed."""
        return asked(request.query), *map(titled, request.titles), *request.texts

    @classmethod
    def over(
        cls, request: Rerank, known: Mapping[str, Tokens], borders: tuple[int, int], longest: int
    ) -> Ranking | Failure:
        """The passes of a request, from the tokens of its texts."""
        question = known[asked(request.query)]
        wrong = _unreadable(asked(request.query), question)
        if wrong:
            return Failure("bad_request", wrong)
        leads = {title: _lead(question, title, known, borders) for title in set(request.titles) | {""}}
        made = []
        for number, text in enumerate(request.texts):
            tokens = known[text]
            units = request.units[number] if request.units else ()
            # A blank one is nobody's: a token beside it may reach over it where the vocabulary drops the character.
            first, last = tokens.within([(s, e) if text[s:e].strip() else (s, s) for s, e in units])
            begin = leads[request.titles[number] if request.titles else ""]
            over = passes(begin, tokens, borders[1], longest, np.unique(first).tolist())
            made.append(Ranked(text, tokens, tuple(over), first, last))
        return cls(request, tuple(made))

    @property
    def passes(self) -> list[Pass]:
        """All of them, in order."""
        return [one for ranked in self.texts for one in ranked.passes]

    def reply(self, said: Sequence[Seen], calibration: Calibration, seconds: float) -> Relevances:
        """What the passes say together, in their order."""
        values, keeps, found, at = [], [], [], 0
        for ranked in self.texts:
            mine = said[at : at + len(ranked.passes)]
            at += len(mine)
            values.append(max((calibration.relevant(one.relevance) for one in mine), default=0.0))
            keeps.append(_keeps(ranked, mine, calibration))
            found.append(best(_stretches(ranked, mine, calibration), self.request.answers))
        tokens = sum(len(one.ids) for one in self.passes)
        return Relevances(
            tuple(values),
            tokens,
            seconds,
            tuple(keeps) if self.request.units else (),
            tuple(found) if self.request.answers else (),
        )


def asked(query: str) -> str:
    """What is read of a question."""
    return query[:ASKED]


def titled(title: str) -> str:
    """What is read of a title."""
    return title[:TITLE]


def _unreadable(query: str, tokens: Tokens) -> str:
    """Why a model that is asked this would only guess; empty where it can read most of it.

    Example:
        >>> marks = Tokens(*(np.array(numbers) for numbers in ([1029, 999], [0, 1], [1, 2])), np.array([True, True]))
        >>> _unreadable("?!", marks)
        'the query holds no word that can be read: ask in words, and in English'
    """
    spelt = zip(tokens.starts, tokens.ends, tokens.known, strict=True)
    if not any(known and any(map(str.isalnum, query[start:end])) for start, end, known in spelt):
        return "the query holds no word that can be read: ask in words, and in English"
    if tokens.known.mean() < LEAST_KNOWN:
        return "the query is mostly in letters that this model does not know: ask in English, or name another ranker"
    return ""


def _lead(question: Tokens, title: str, known: Mapping[str, Tokens], borders: tuple[int, int]) -> np.ndarray:
    return lead(question, known[titled(title)] if title else None, borders)


def _keeps(ranked: Ranked, said: Sequence[Seen], calibration: Calibration) -> tuple[float, ...]:
    if not said:
        return (0.0,) * len(ranked.first)
    pooled = means(ranked.first, ranked.last, [one.sight for one in said], len(ranked.tokens.ids))
    needed = np.where(ranked.last > ranked.first, calibration.kept(pooled, _held(ranked, said, calibration)), 0.0)
    return tuple(map(float, needed))


def _held(ranked: Ranked, said: Sequence[Seen], calibration: Calibration) -> np.ndarray:
    """Log-odds of the likeliest answer that lies within each unit [units]: what answers is needed."""
    best_ = np.full(len(ranked.first), NOWHERE)
    for one in said:
        for answer in one.answers:
            within = (ranked.first <= answer.first) & (answer.last < ranked.last)
            best_[within] = np.maximum(best_[within], calibration.odds(answer.score, one.relevance))
    return best_


def _stretches(ranked: Ranked, said: Sequence[Seen], calibration: Calibration) -> list[Stretch]:
    return [
        placed(ranked.text, ranked.tokens, a.first, a.last, calibration.answers(a.score, one.relevance))
        for one in said
        for a in one.answers
    ]
