"""The sentences that were read, searchable by the words they hold."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ragctx.corpus import Corpus
from ragctx.grounding.words import content, forms
from ragctx.types import Passage, Span

# How many sentences of a passage are compared word by word; the others hold fewer of the words by a first look.
_LOOKED_AT = 24
# A citation is for reading: a table or a line without end is cut to about this many characters around its words.
_LONGEST = 600


@dataclass(frozen=True, slots=True)
class Found:
    """A source sentence and its content words."""

    span: Span
    text: str
    words: frozenset[str]


@dataclass(slots=True)
class Stretch:
    """One span that was read: its text, where its sentences start, and which of them hold a word.

    A first look finds a word's occurrences by plain string search, so that a whole book costs one pass a word and
    only the sentences with the most of the words are taken apart.
    """

    span: Span
    text: str
    sentences: Sequence[Span]
    _lower: str = ""
    _starts: list[int] = field(default_factory=list)
    _holding: dict[str, frozenset[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lower = self.text.lower()
        self._lower = lower if len(lower) == len(self.text) else self.text
        self._starts = [sentence.start - self.span.start for sentence in self.sentences]

    def holding(self, word: str) -> frozenset[int]:
        """Numbers of the sentences that seem to hold a word."""
        if word not in self._holding:
            self._holding[word] = frozenset(self._sentence(at) for at in self._places(word)) - {-1}
        return self._holding[word]

    def _sentence(self, at: int) -> int:
        return bisect_right(self._starts, at) - 1

    def _places(self, word: str) -> Iterable[int]:
        for form in forms(word):
            at = self._lower.find(form)
            while at >= 0:
                yield at
                at = self._lower.find(form, at + len(form))

    def best(self, words: Iterable[str]) -> list[Found]:
        """The sentences that hold the most of the words; a word counts the less the more sentences hold it."""
        held: dict[int, float] = {}
        for word in sorted(words):
            numbers = self.holding(word)
            for number in numbers:
                held[number] = held.get(number, 0.0) + 1 / len(numbers)
        first = sorted(held, key=lambda number: (-held[number], number))[:_LOOKED_AT]
        return [self._found(self.sentences[number], words) for number in first]

    def _found(self, sentence: Span, words: Iterable[str]) -> Found:
        start, end = self._cut(sentence, words)
        text = self.text[start:end]
        visible = text.strip()
        start += len(text) - len(text.lstrip())
        origin = self.span.start
        return Found(Span(self.span.document, origin + start, origin + start + len(visible)), visible, content(visible))

    def _cut(self, sentence: Span, words: Iterable[str]) -> tuple[int, int]:
        start, end = sentence.start - self.span.start, sentence.end - self.span.start
        if end - start <= _LONGEST:
            return start, end
        places = sorted({at for word in words for at in self._places(word) if start <= at < end})
        # The window that holds the most places, by two pointers.
        left, most, at = 0, 0, start
        for right, place in enumerate(places):
            while place - places[left] > _LONGEST // 2:
                left += 1
            if right - left + 1 > most:
                most, at = right - left + 1, places[left]
        first = self.text.rfind(" ", start, max(start, at - _LONGEST // 4)) + 1 or max(start, at - _LONGEST // 4)
        last = self.text.find(" ", min(end, first + _LONGEST), end)
        return max(first, start), min(end, last if 0 <= last < first + 2 * _LONGEST else first + _LONGEST)


def stretches(passages: Sequence[Passage], corpus: Corpus) -> list[tuple[Stretch, ...]]:
    """For each passage the stretches of source text that it rests on."""
    return [tuple(Stretch(span, corpus.text(span), corpus.sentences(span)) for span in p.spans) for p in passages]
