"""Passages graded by how likely they answer, and cut to the sentences that do: one pass of the model that ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from ragctx.corpus import Corpus
from ragctx.strategies.finding import titles
from ragctx.types import Context, Dropped, Passage, Question
from ragctx.work import Failure, Relevances, Rerank, Work

Ranges = tuple[tuple[int, int], ...]
Verdict = Literal["correct", "ambiguous", "incorrect"]
ROLE = "ranker"


@dataclass(frozen=True, slots=True)
class Bars:
    """Probabilities that grades and strips are told by.

    Attributes:
        upper: from here on a passage is correct. lower: below it, incorrect. strip: below it a sentence goes.
    """

    upper: float
    lower: float
    strip: float

    def verdict(self, best: float) -> Verdict:
        """The grade of a passage, and of a search whose best passage it is.

        Example:
            >>> [Bars(0.5, 0.1, 0.1).verdict(p) for p in (0.7, 0.3, 0.05)]
            ['correct', 'ambiguous', 'incorrect']
        """
        return "correct" if best >= self.upper else "ambiguous" if best >= self.lower else "incorrect"


@dataclass(frozen=True, slots=True)
class Graded:
    """What a search found, with what a model made of it.

    Attributes:
        passages: as found. values: how likely each answers.
        units: sentences of each passage's text. keeps: how likely each of them is needed.
        failure: why the model said nothing; empty where it did.
    """

    passages: tuple[Passage, ...] = ()
    values: tuple[float, ...] = ()
    units: tuple[Ranges, ...] = ()
    keeps: tuple[tuple[float, ...], ...] = ()
    failure: str = ""

    @property
    def best(self) -> float:
        """The best value; 0 where nothing was found."""
        return max(self.values, default=0.0)

    def plus(self, other: Graded) -> Graded:
        """Both, what stands in the same place once."""
        known = {(p.spans, p.text) for p in self.passages}
        new = [i for i, p in enumerate(other.passages) if (p.spans, p.text) not in known]
        return Graded(
            (*self.passages, *(other.passages[i] for i in new)),
            (*self.values, *(other.values[i] for i in new)),
            (*self.units, *(other.units[i] for i in new)),
            (*self.keeps, *(other.keeps[i] for i in new)),
            self.failure or other.failure,
        )

    def stripped(self, bars: Bars, limit: int, *, whole: bool = False) -> Context:
        """The likeliest `limit` passages that are not incorrect, each cut to its sentences that are needed.

        A passage none of whose sentences looks needed keeps its likeliest one: the passage as a whole was graded.

        Args:
            bars: what grades are told by.
            limit: the most passages.
            whole: do not cut them.
        """
        order = sorted(range(len(self.values)), key=lambda i: (-self.values[i], i))
        staying = [i for i in order if self.values[i] >= bars.lower][:limit]
        dropped = [
            Dropped(span, f"graded {bars.verdict(self.values[i])}: {self.values[i]:.2f} likely to answer")
            for i in order
            if i not in staying
            for span in self.passages[i].spans
        ]
        kept = []
        for i in staying:
            passage, gone = (self.passages[i], []) if whole else self._cut(i, bars.strip)
            kept.append(replace(passage, score=self.values[i]))
            dropped += gone
        return Context(tuple(kept), tuple(dropped))

    def _cut(self, i: int, bar: float) -> tuple[Passage, list[Dropped]]:
        passage, units, keeps = self.passages[i], self.units[i], self.keeps[i]
        bar = min(bar, max(keeps, default=0.0))
        needed = [unit for unit, keep in zip(units, keeps, strict=True) if keep >= bar]
        gone = [unit for unit, keep in zip(units, keeps, strict=True) if keep < bar]
        if not gone:
            return passage, []
        left = () if passage.derived else passage.narrowed(gone).spans
        return passage.narrowed(joined(needed, gone)), [Dropped(span, "a strip that is not needed") for span in left]


def graded(question: Question, passages: Sequence[Passage], corpus: Corpus) -> Work[Graded]:
    """Passages with their grades, by one request; none, and why, where the model fails.

    Args:
        question: what is asked; its own words, whatever was searched with.
        passages: what was found.
        corpus: where their sentences are looked up.
    """
    if not passages:
        return Graded()
    units = tuple(sentences(passage, corpus) for passage in passages)
    texts = tuple(passage.text for passage in passages)
    named = titles(tuple(passages), corpus)
    [reply] = yield [Rerank(question.text, texts, ROLE, "grade", tolerant=True, titles=named, units=units)]
    if isinstance(reply, Failure):
        return Graded(failure=reply.message)
    said = cast("Relevances", reply)
    return Graded(tuple(passages), said.values, units, said.keeps)


def sentences(passage: Passage, corpus: Corpus) -> Ranges:
    """Where the sentences of a passage's text stand in it; a derived or joined passage is one."""
    if passage.derived or len(passage.spans) != 1:
        return ((0, len(passage.text)),) if passage.text else ()
    [span] = passage.spans
    return tuple((s.start - span.start, s.end - span.start) for s in corpus.sentences(span))


def joined(needed: Sequence[tuple[int, int]], gone: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Needed ranges, with the blanks between two of them where nothing that goes lies there."""
    runs: list[tuple[int, int]] = []
    for start, end in needed:
        if runs and not any(runs[-1][1] <= other < start for other, _ in gone):
            runs[-1] = runs[-1][0], end
        else:
            runs.append((start, end))
    return runs
