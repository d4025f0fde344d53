"""Fills a token budget with the units of several passages, the most wanted first, and never exceeds it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ragctx.compressors.cutting import cut
from ragctx.compressors.units import headings_of
from ragctx.compressors.weighing import Weighed
from ragctx.models import Counter
from ragctx.types import Passage

# How passages are joined for counting: what stands between them takes tokens too.
BETWEEN = "\n\n"
# A unit may cost so many tokens less in its place than alone, and so many that then do not fit are tried.
_SLACK, _TRIED = 2, 64
Place = tuple[int, int]


def tokens(passages: Iterable[Passage], counter: Counter) -> int:
    """Tokens of passages by a counter: of their texts joined by blank lines."""
    return counter.count(BETWEEN.join(passage.text for passage in passages))


@dataclass(slots=True)
class Filling:
    """Units taken so far.

    Units are priced one by one, as if each stood alone; what counts in the end is the joined text, from which the last
    units taken are given back while it is over the budget.

    Attributes:
        weighed: the passages. counter: of the reader. budget: most tokens of all that is kept.
        titled: take with a unit the headings it stands under, where they fit too.
        kept: of each passage the numbers of the units taken.
    """

    weighed: Sequence[Weighed]
    counter: Counter
    budget: int
    titled: bool = True
    kept: list[set[int]] = field(default_factory=list)
    _above: list[list[tuple[int, ...]]] = field(default_factory=list)
    _taken: list[tuple[Place, ...]] = field(default_factory=list)
    _free: int = 0

    def fill(self, wanted: Sequence[Place]) -> list[set[int]]:
        """Take units by their places (passage, unit), most wanted first, each that still fits."""
        self._above = [headings_of(passage.units) for passage in self.weighed]
        self._begin(wanted)
        if self._spent() <= self.budget:
            return self.kept
        self._begin(())
        left, skipped = self.budget, []
        for place in filter(self._says_something, wanted):
            steps = self._steps_to(place, left)
            if steps:
                left -= self._price(steps[0])
                self._take(steps[0])
            else:
                skipped.append(place)
        given: list[Place] = []
        while self._taken and self._spent() > self.budget:
            given.insert(0, self._give_back())
        self._use_what_is_left([*given, *skipped])
        return self.kept

    def passages(self) -> Iterator[tuple[int, Passage]]:
        """Numbers and texts of the passages of which something is kept."""
        return ((i, cut(self.weighed[i], kept)) for i, kept in enumerate(self.kept) if kept)

    def _begin(self, places: Iterable[Place]) -> None:
        """Take some units to begin with, whatever they cost, with their headings."""
        self.kept, self._taken = [set() for _ in self.weighed], []
        for i, j in places:
            self.kept[i] |= {j, *(self._above[i][j] if self.titled else ())}

    def _says_something(self, place: Place) -> bool:
        """Whether the unit is worth its tokens by itself, as a heading above nothing is not."""
        found = self.weighed[place[0]].units
        return not (self.titled and found[place[1]].heading) or all(unit.heading for unit in found)

    def _steps_to(self, place: Place, left: int) -> list[tuple[Place, ...]]:
        """The unit with its headings, and alone, as far as either fits; nothing where it is taken already."""
        i, j = place
        if j in self.kept[i] or left <= 0:
            return []
        missing = [(i, k) for k in self._above[i][j] if self.titled and k not in self.kept[i]]
        return [step for step in dict.fromkeys([(*missing, place), (place,)]) if self._price(step) <= left]

    def _price(self, step: tuple[Place, ...]) -> int:
        """What units cost by themselves, and what parts their passage from others where it is new."""
        between = self.counter.count(BETWEEN) if any(self.kept) and not self.kept[step[0][0]] else 0
        return between + sum(map(self._cost, step))

    def _cost(self, place: Place) -> int:
        unit = self.weighed[place[0]].units[place[1]]
        return self.counter.count(" " + self.weighed[place[0]].passage.text[unit.start : unit.end])

    def _take(self, step: tuple[Place, ...]) -> None:
        for i, j in step:
            self.kept[i].add(j)
        self._taken.append(step)

    def _give_back(self) -> Place:
        """Leave out what was taken last: the unit, and the headings it brought along."""
        step = self._taken.pop()
        for i, j in step:
            self.kept[i].discard(j)
        return step[-1]

    def _spent(self) -> int:
        return tokens((passage for _, passage in self.passages()), self.counter)

    def _use_what_is_left(self, skipped: Sequence[Place]) -> None:
        """Take of what was passed over whatever fits, then headings that what is kept stands under.

        After many tries only what costs less than all that did not fit is looked at.
        """
        self._free, tries, over = self.budget - self._spent(), _TRIED, math.inf
        for step in self._left_over(skipped):
            price = self._in_place(step)
            if price > self._free or (tries <= 0 and price >= over):
                continue
            self._take(step)
            spent = self._spent()
            if spent <= self.budget:
                self._free = self.budget - spent
            else:
                self._give_back()
                tries, over = tries - 1, min(over, price)

    def _left_over(self, skipped: Sequence[Place]) -> Iterator[tuple[Place, ...]]:
        """Steps that may still fit, each looked up when those before it were taken or not."""
        for place in skipped:
            for step in self._steps_to(place, self._free + _SLACK):
                if place[1] not in self.kept[place[0]]:
                    yield step
        for i, held in enumerate(self.kept):
            above = {k for j in held for k in self._above[i][j]} if self.titled else set()
            for k in sorted(above - held):
                yield from self._steps_to((i, k), self._free + _SLACK)

    def _in_place(self, step: tuple[Place, ...]) -> int:
        """What units cost in their passage, beside what is kept of it."""
        i, held = step[0][0], self.kept[step[0][0]]
        with_it = cut(self.weighed[i], held | {j for _, j in step}).text
        if held:
            return self.counter.count(with_it) - self.counter.count(cut(self.weighed[i], held).text)
        return self.counter.count(with_it) + (self.counter.count(BETWEEN) if any(self.kept) else 0)
