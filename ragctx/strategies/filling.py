"""Fills a prompt with passages up to a ceiling, to the token."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ragctx.corpus import Corpus
from ragctx.grounding.words import content
from ragctx.models import Counter
from ragctx.prompts import Prompt
from ragctx.strategies.limits import Ceiling
from ragctx.types import Context, Dropped, Passage, Question, Span

Arrange = Callable[[Sequence[Passage]], list[Passage]]
# What is left of the room after whole passages is used for a part of the next one from this share on.
_WORTH = 0.125
_SAMPLE = 8
# Tokens of the line above a passage, about.
_HEADING = 16
_OVER = "over the token budget"


@dataclass(frozen=True, slots=True)
class Filler:
    """Fills one question's prompt.

    Passages are taken best first, each that still fits. A passage that does not fit is narrowed to the sentences
    around its best one where that puts a good part of the room to use, and where nothing would be read otherwise.
    Pieces are counted one by one; what counts in the end is the whole rendered prompt, from which the last passages
    taken are given back while it is over the ceiling.

    Attributes:
        prompt: how the prompt is written. question: what is asked.
        counter: of the reader. ceiling: of the rendered prompt. corpus: where sentences are looked up.
        arrange: from best first to reading order.
    """

    prompt: Prompt
    question: Question
    counter: Counter
    ceiling: Ceiling
    corpus: Corpus
    arrange: Arrange

    def fill(self, found: Context) -> Context:
        """The context that is read: passages in reading order, everything else among `dropped` with the reason.

        Raises:
            LimitError: not even one sentence fits.
        """
        taken = self._taken(found.passages)
        while taken and self._rendered(taken) > self._most:
            taken = taken[:-1]
        if not taken and found.passages:
            self.ceiling.refuse(self._rendered([self._shortest(found.passages)]))
        unread = tuple(Dropped(span, _OVER) for span in missing(found.spans, [s for p in taken for s in p.spans]))
        return Context(tuple(self.arrange(taken)), (*found.dropped, *unread), found.notes, found.signals)

    def tokens(self, passages: Sequence[Passage]) -> int:
        """Tokens of the rendered prompt with passages in reading order."""
        return self.counter.render(self.prompt.messages(passages, self.question))

    @property
    def _most(self) -> float:
        return float("inf") if self.ceiling.tokens is None else self.ceiling.tokens

    def _rendered(self, taken: Sequence[Passage]) -> int:
        return self.tokens(self.arrange(taken))

    def _cost(self, passage: Passage) -> int:
        """Tokens a passage adds; the number and the line break are counted at their longest."""
        return self.counter.count(self.prompt.block(99, passage)) + 1

    def _taken(self, ranked: Sequence[Passage]) -> list[Passage]:
        whole = room = self._most - self._rendered([])
        taken: list[Passage] = []
        skipped: list[Passage] = []
        for passage in ranked:
            cost = self._cost(passage)
            if cost <= room:
                taken.append(passage)
                room -= cost
            else:
                skipped.append(passage)
        if skipped and (not taken or room >= whole * _WORTH):
            taken.extend(self._narrowed(skipped, room))
        return taken

    def _narrowed(self, skipped: Sequence[Passage], room: float) -> list[Passage]:
        """The best of the passages that did not fit, cut down to what does; the next one where it cannot be."""
        for passage in skipped[:4]:
            spans = self._around(passage, room)
            while spans:
                part = self.corpus.passage(Span(spans[0].document, spans[0].start, spans[-1].end), score=passage.score)
                if self._cost(part) <= room:
                    return [part]
                spans = spans[:-1]
        return []

    def _around(self, passage: Passage, room: float) -> list[Span]:
        """The best sentence of a passage and its neighbours, as far as their counts allow."""
        sentences = [sentence for span in passage.spans for sentence in self.corpus.sentences(span)]
        if passage.derived or not sentences:
            return []
        asked = content(self.question.text)
        texts = [self.corpus.text(sentence) for sentence in sentences]
        costs = [self.counter.count(text) for text in texts]
        best = max(range(len(texts)), key=lambda i: (len(asked & content(texts[i])), -i))
        first, last, left = best, best, room - costs[best]
        while True:
            grown = False
            for step in (last + 1, first - 1):
                if 0 <= step < len(texts) and costs[step] <= left and self._touch(sentences, step, first, last):
                    first, last, left, grown = min(first, step), max(last, step), left - costs[step], True
            if not grown:
                return sentences[first : last + 1]

    @staticmethod
    def _touch(sentences: Sequence[Span], step: int, first: int, last: int) -> bool:
        """Whether nothing but white space that was retrieved lies between; a gap was left out on purpose."""
        near = sentences[last] if step > last else sentences[first]
        there = sentences[step]
        gap = there.start - near.end if step > last else near.start - there.end
        return there.document == near.document and gap <= 2

    def _shortest(self, passages: Sequence[Passage]) -> Passage:
        """The shortest thing that could have been read: for the number in the refusal."""
        sentences = [s for p in passages for span in p.spans for s in self.corpus.sentences(span)]
        shortest = min(sentences, key=len, default=None)
        return passages[0] if shortest is None else self.corpus.passage(shortest)


def chunk_tokens(corpus: Corpus, counter: Counter) -> float:
    """Tokens that a chunk and its heading take on average, from a few evenly spaced ones and all chunks' lengths."""
    chunks = corpus.chunks
    lengths = np.asarray(chunks.end) - np.asarray(chunks.start)
    sample = np.unique(np.linspace(0, len(lengths) - 1, _SAMPLE).astype(int)).tolist() if len(lengths) else []
    characters = sum(int(lengths[i]) for i in sample)
    tokens = sum(counter.count(chunks.text(i)) for i in sample)
    return _HEADING + (tokens / characters * float(lengths.mean()) if characters else 1.0)


def missing(wanted: Iterable[Span], read: Iterable[Span]) -> list[Span]:
    """What of the wanted spans was not read.

    Example:
        >>> missing([Span("a", 0, 10), Span("b", 0, 5)], [Span("a", 2, 4)])
        [Span(document='a', start=0, end=2), Span(document='a', start=4, end=10), Span(document='b', start=0, end=5)]
    """
    covered = sorted(read)
    left: list[Span] = []
    for span in wanted:
        at = span.start
        for other in covered:
            if other.document == span.document and other.start < span.end and other.end > at:
                if other.start > at:
                    left.append(Span(span.document, at, other.start))
                at = max(at, other.end)
        if at < span.end:
            left.append(Span(span.document, at, span.end))
    return left
