"""Cuts a view of a corpus into portions, unit by unit; `portions.py` is what strategies call."""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ragctx.corpus import Corpus
from ragctx.errors import LimitError
from ragctx.models import Counter
from ragctx.types import Passage, Span

Block = Callable[[int, Passage], str]
# Tokens between two chunks that are read as one: blanks.
_SEAM = 1


class Cut(NamedTuple):
    """One portion: a span for each passage, and the tokens of their blocks."""

    spans: tuple[Span, ...]
    tokens: int


@dataclass(slots=True)
class Cutter:
    """Cuts one view; see `portions`.

    Pieces are counted one by one, and every portion once more as a whole: what the seams make it too long by is given
    back to the next.

    Attributes:
        view, room, counter, block, joined: see `portions`.
        counts: tokens of spans, filled as they are counted.
    """

    view: Corpus
    room: int
    counter: Counter
    block: Block
    joined: bool
    counts: dict[Span, int] = field(default_factory=dict)
    _heads: dict[tuple[str, int | None, int], int] = field(default_factory=dict)

    def cut(self, spans: Sequence[Span]) -> Iterator[Cut]:
        """Every portion, in order."""
        queue, number = _Queue(_Unit(i, spans[i]) for i in range(len(spans))), 1
        while taken := self._filled(number, queue):
            cut = self._settled(number, taken, queue)
            number += len(cut.spans)
            yield cut

    def _filled(self, number: int, queue: _Queue) -> list[_Unit]:
        """What one portion takes from the queue."""
        taken, room = list[_Unit](), float(self.room)
        while (unit := queue.take()) is not None:
            opens = not taken or self._key(taken[-1]) != self._key(unit)
            number += opens and bool(taken)
            head = self._head(number, unit.span) if opens else _SEAM
            cost = head + self._tokens(unit.span)
            if cost > room:
                parts = self._parts(unit, room - head, bare=not taken)
                cut = parts[0] != unit
                queue.back(*(parts[1:] if cut else [unit]))
                return [*taken, *(parts[:1] if cut else [])]
            taken.append(unit)
            room -= cost
        return taken

    def _parts(self, unit: _Unit, room: float, *, bare: bool) -> list[_Unit]:
        """A unit in two: the sentences that fit the room, and the rest; as it is, where not even one fits.

        Args:
            unit: a chunk or the rest of one.
            room: tokens for its text.
            bare: nothing is in the portion, so a sentence must be cut where it does not fit.

        Raises:
            LimitError: there is no room for anything.
        """
        sentences = self.view.sentences(unit.span)
        fitting = bisect_right(sentences, room, key=lambda s: self._tokens(replace(unit.span, end=s.end)))
        if fitting:
            return self._cut_at(unit, sentences[fitting - 1].end)
        if not bare:
            return [unit]
        return self._cut_at(unit, self._within(sentences[0] if sentences else unit.span, room))

    def _within(self, sentence: Span, room: float) -> int:
        """Where a sentence that is too long is cut: after the last word that fits, or else character."""
        text = self.view.text(sentence)
        low, high = 0, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.counter.count(text[:middle]) <= room else (low, middle - 1)
        blank = max(text.rfind(" ", 0, low + 1), text.rfind("\n", 0, low + 1))
        at = blank if blank > low // 2 else low
        while 0 < at < len(text) and (unicodedata.combining(text[at]) or text[at] in "\u200d\ufe0f"):
            at -= 1
        if at < 1:
            raise LimitError(
                f"a portion of {self.room:,} tokens holds no more than a heading: shorten the question, raise the "
                "window or the budget, or lower what is kept free for output"
            )
        return sentence.start + at

    def _settled(self, number: int, taken: list[_Unit], queue: _Queue) -> Cut:
        """The portion; what the whole is longer by than its parts goes back to the queue."""
        while (tokens := self._count(number, self._runs(taken))) > self.room:
            last = taken.pop()
            room = self._tokens(last.span) - (tokens - self.room)
            parts = self._parts(last, room, bare=not taken)
            cut = parts[0] != last
            queue.back(*(parts[1:] if cut else [last]))
            taken.extend(parts[:1] if cut else [])
        return Cut(self._runs(taken), tokens)

    def _runs(self, taken: Sequence[_Unit]) -> tuple[Span, ...]:
        runs: list[Span] = []
        for before, unit in zip((None, *taken), taken, strict=False):
            if before is not None and self._key(before) == self._key(unit):
                runs[-1] = replace(runs[-1], end=unit.span.end)
            else:
                runs.append(unit.span)
        return tuple(runs)

    def _key(self, unit: _Unit) -> object:
        return unit.span.document if self.joined else unit.chunk

    def _count(self, number: int, runs: Sequence[Span]) -> int:
        return self.counter.count(
            "\n".join(self.block(n, self.view.passage(run)) for n, run in enumerate(runs, number))
        )

    def _head(self, number: int, span: Span) -> int:
        passage = self.view.passage(Span(span.document, span.start, span.start))
        key = (span.document, passage.page, len(str(number)))
        if key not in self._heads:
            widest = int("9" * len(str(number)))
            self._heads[key] = self.counter.count(self.block(widest, replace(passage, text=""))) + 1
        return self._heads[key]

    def _tokens(self, span: Span) -> int:
        if span not in self.counts:
            self.counts[span] = self.counter.count(self.view.text(span))
        return self.counts[span]

    def _cut_at(self, unit: _Unit, end: int) -> list[_Unit]:
        """The unit up to `end`, and what is visible after it."""
        span = unit.span
        rest = self.view.text(replace(span, start=end))
        start = end + len(rest) - len(rest.lstrip())
        first = unit._replace(span=replace(span, end=end))
        return [first, unit._replace(span=replace(span, start=start))] if start < span.end else [first]


class _Unit(NamedTuple):
    """A chunk by its number, or the part of one that a span holds."""

    chunk: int
    span: Span


@dataclass(slots=True)
class _Queue:
    """Units in order, to which some are given back."""

    more: Iterator[_Unit]
    returned: list[_Unit] = field(default_factory=list)

    def take(self) -> _Unit | None:
        """The next unit; None at the end."""
        return self.returned.pop() if self.returned else next(self.more, None)

    def back(self, *units: _Unit) -> None:
        """Give a unit back."""
        self.returned.extend(units)
