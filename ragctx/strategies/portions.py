"""Divides all that a question may read into portions for one call each: whole sentences, verbatim, nothing left out."""

from __future__ import annotations

import math
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import NamedTuple, TypeVar

from ragctx.corpus import Corpus
from ragctx.errors import LimitError
from ragctx.models import Counter
from ragctx.strategies.filling import chunk_tokens
from ragctx.types import Passage, Span

Block = Callable[[int, Passage], str]
Portion = tuple[Passage, ...]
K = TypeVar("K")
V = TypeVar("V")

# Over this many characters a plan does not cut portions, it reckons how many there would be.
COUNTED = 4_000_000
# How full portions are on average: what is left is less than a sentence.
_FULL = 0.97
# Divisions kept: questions on one corpus share them.
_KEPT = 16
# Tokens between two chunks that are read as one: blanks.
_SEAM = 1


def portions(view: Corpus, room: int, counter: Counter, block: Block, *, joined: bool = True) -> tuple[Portion, ...]:
    """All of a view in document order, as portions of at most `room` tokens.

    A portion is filled sentence by sentence; short documents share one. A sentence that is longer than the room is cut
    between words, or between characters where there are no words. Passages are numbered from 1 through all portions:
    the first of a portion has one number more than the last of the portion before it.

    Args:
        view: what is read.
        room: most tokens of a portion's blocks, joined by line breaks.
        counter: of the model that reads them.
        block: how a prompt shows a passage under its number, e.g. `Task.block`.
        joined: what a portion holds of a document is one passage; otherwise every chunk is a passage of its own, so
            that numbers name places more closely, at the cost of a heading each.

    Raises:
        LimitError: the room is too small for a heading and a word.

    Example:
        >>> from ragctx.models import EstimatedCounter
        >>> corpus = Corpus.of("Rent is due on the first. It is paid in advance. Pets are welcome.", "Keys are two.")
        >>> cut = portions(corpus, 22, EstimatedCounter(), lambda number, passage: f"[{number}] {passage.text}")
        >>> [[passage.text for passage in portion] for portion in cut]
        [['Rent is due on the first. It is paid in advance.'], ['Pets are welcome.', 'Keys are two.']]
    """
    cutter = Cutter(view, room, counter, block, joined, counts_of(view, counter))
    key = (view.manifest, repr(block(1, Passage("", (), "x"))), counter.name, room, joined)
    with _LOCK:  # questions on one corpus wait for the first of them to cut, instead of cutting all alike
        if key not in _CUTS:
            _forget(_CUTS, _KEPT)
            _CUTS[key] = tuple(cutter.cut())
        cuts = _CUTS[key]
    return tuple(tuple(map(cutter.passage, runs)) for runs in cuts)


def portion_count(view: Corpus, room: int, counter: Counter, block: Block, *, joined: bool = True) -> int:
    """How many portions there are: counted, or for more than some megabytes reckoned from a few chunks' counts.

    Example:
        >>> from ragctx.models import EstimatedCounter
        >>> corpus = Corpus.of("Rent is due on the first.", "Keys are two.")
        >>> portion_count(corpus, 12, EstimatedCounter(), lambda number, passage: passage.text)
        2
    """
    if view.characters <= COUNTED:
        return len(portions(view, room, counter, block, joined=joined))
    return max(1, math.ceil(chunk_tokens(view, counter) * len(view.chunks) / max(1.0, room * _FULL)))


def counts_of(view: Corpus, counter: Counter) -> dict[Span, int]:
    """Tokens of spans that were counted before, shared by all questions on a corpus."""
    key = (view.manifest, counter.name)
    if key not in _COUNTS:
        _forget(_COUNTS, _KEPT)
        _COUNTS[key] = {}
    return _COUNTS[key]


Runs = tuple[Span, ...]
_CUTS: dict[tuple[str, str, str, int, bool], tuple[Runs, ...]] = {}
_COUNTS: dict[tuple[str, str], dict[Span, int]] = {}
_LOCK = Lock()


def _forget(kept: dict[K, V], most: int) -> None:
    while len(kept) >= most:
        kept.pop(next(iter(kept)), None)


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

    def cut(self) -> Iterator[Runs]:
        """The spans of every passage of every portion, in order."""
        queue, number = _Queue(self._units()), 1
        while taken := self._filled(number, queue):
            runs = self._settled(number, taken, queue)
            number += len(runs)
            yield runs

    def passage(self, span: Span) -> Passage:
        """The passage of a span."""
        return self.view.passage(span)

    def _units(self) -> Iterator[_Unit]:
        chunks = self.view.chunks
        for i in range(len(chunks)):
            yield _Unit(i, chunks[i])

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

    def _settled(self, number: int, taken: list[_Unit], queue: _Queue) -> Runs:
        """The portion's passages; what the whole is longer by than its parts goes back to the queue."""
        while (over := self._count(number, self._runs(taken)) - self.room) > 0:
            last = taken.pop()
            parts = self._parts(last, self._tokens(last.span) - over, bare=not taken)
            queue.back(*parts[1:])
            if parts[0] == last:
                queue.back(last)
            else:
                taken.append(parts[0])
        return self._runs(taken)

    def _runs(self, taken: Sequence[_Unit]) -> Runs:
        runs: list[list[Span]] = []
        for before, unit in zip((None, *taken), taken, strict=False):
            if before is not None and self._key(before) == self._key(unit):
                runs[-1].append(unit.span)
            else:
                runs.append([unit.span])
        return tuple(replace(run[0], end=run[-1].end) for run in runs)

    def _key(self, unit: _Unit) -> object:
        return unit.span.document if self.joined else unit.chunk

    def _count(self, number: int, runs: Runs) -> int:
        return self.counter.count("\n".join(self.block(n, self.passage(run)) for n, run in enumerate(runs, number)))

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
