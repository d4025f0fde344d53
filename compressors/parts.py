"""Passages divided into parts that one request can be about: some sentences in a row, never too many tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragctx.compressors.units import sentences
from ragctx.models import Counter
from ragctx.types import Dropped, Passage


@dataclass(frozen=True, slots=True)
class Part:
    """Some sentences in a row of one passage.

    Attributes:
        of: the number of the passage among those given.
        passage: what stands from the first to the last of its sentences, with exactly those spans.
        sentences: characters [start, end) of each in `passage.text`, in order.
        tokens: of all of them, by the counter that divided.
    """

    of: int
    passage: Passage
    sentences: tuple[tuple[int, int], ...]
    tokens: int

    def said(self, number: int) -> str:
        """The text of one of its sentences, by its place from 0."""
        start, end = self.sentences[number]
        return self.passage.text[start:end]


def parts(passages: Sequence[Passage], counter: Counter, most: int) -> list[Part]:
    """Every passage in parts of at most `most` tokens, in order; a blank one has none.

    Where a passage is divided depends on its text alone, so that the same passage gives the same requests whatever is
    asked and whatever else was found.

    Args:
        passages: in any order.
        counter: of whoever will read the parts.
        most: tokens. One sentence makes a part however long it is, and none is longer than a thousand characters.

    Example:
        >>> from ragctx.models import EstimatedCounter
        >>> from ragctx.types import Span
        >>> passage = Passage("One is here. Two is. ", (Span("a", 0, 21),))
        >>> [part.passage.text for part in parts([passage], EstimatedCounter(), 6)]
        ['One is here.', 'Two is.']
    """
    return [part for number, passage in enumerate(passages) for part in _divided(number, passage, counter, most)]


def visible(found: Sequence[Part], passages: Sequence[Passage]) -> list[Passage]:
    """The passages that have parts, in order."""
    return [passages[number] for number in sorted({part.of for part in found})]


def blanks(passages: Sequence[Passage]) -> list[Dropped]:
    """What there is to be told of passages that have none."""
    return [Dropped(span, "blank") for passage in passages if not passage.text.strip() for span in passage.spans]


def _divided(number: int, passage: Passage, counter: Counter, most: int) -> list[Part]:
    found: list[Part] = []
    held: list[tuple[int, int]] = []
    spent = 0
    for start, end in sentences(passage.text):
        cost = counter.count(passage.text[start:end])
        if held and spent + cost > most:
            found.append(_part(number, passage, held, spent))
            held, spent = [], 0
        held.append((start, end))
        spent += cost
    return [*found, _part(number, passage, held, spent)] if held else found


def _part(number: int, passage: Passage, held: Sequence[tuple[int, int]], spent: int) -> Part:
    first, last = held[0][0], held[-1][1]
    inside = tuple((start - first, end - first) for start, end in held)
    return Part(number, passage.narrowed([(first, last)]), inside, spent)
