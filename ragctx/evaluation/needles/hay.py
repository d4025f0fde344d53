"""The hay: any number of plain sentences about nothing that is asked, and needles put among them at given depths."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ragctx.evaluation.datasets.example import Example
from ragctx.types import Document, Question, Span

PLACES: Final = ("Aldmere", "Corrie", "Dunhollow", "Eskdale", "Fenmark", "Garrowby", "Hartsea", "Invermoor", "Kelding")
THINGS: Final = (
    "lantern",
    "harbour",
    "orchard",
    "ferry",
    "quarry",
    "granary",
    "causeway",
    "lighthouse",
    "mill",
    "weir",
)
_WHO: Final = ("The keeper", "A clerk", "The ferryman", "Some visitor", "The miller", "A surveyor", "The postman")
_DID: Final = ("walked past", "wrote about", "looked after", "drew", "asked about", "painted", "waited at", "measured")
_WHEN: Final = ("before noon", "in the rain", "late in spring", "on a quiet day", "after the fair", "every autumn")
_THEN: Final = ("and went home", "and thought no more of it", "while the tide turned", "as the bells rang")
_PARAGRAPH: Final = 6


@dataclass(frozen=True, slots=True)
class Hay:
    """So many words of hay, always the same for a seed.

    Attributes:
        words: of the hay, about; needles come on top.

    Example:
        >>> len(" ".join(Hay(50, seed=1).sentences()).split()) >= 50, Hay(50, 1).sentences() == Hay(50, 1).sentences()
        (True, True)
    """

    words: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.words < 1:
            raise ValueError(f"hay of {self.words} words is none: give at least 1")

    def sentences(self) -> list[str]:
        """The sentences, until they have the words."""
        rng, made, count = self.random("hay"), [], 0
        while count < self.words:
            what = f"the {rng.choice(THINGS)} of {rng.choice(PLACES)}"
            parts = [rng.choice(_WHO), rng.choice(_DID), what, rng.choice(_WHEN), rng.choice(_THEN)]
            made.append(" ".join(parts) + ".")
            count += len(made[-1].split())
        return made

    def random(self, purpose: str) -> random.Random:
        """Numbers of one purpose, which another purpose's do not move."""
        return random.Random(f"{self.seed}:{purpose}")  # noqa: S311 - nothing secret is made of it

    def example(
        self,
        kind: str,
        needles: Sequence[tuple[float, str]],
        asked: str,
        answers: Sequence[str],
        gold: Sequence[int] | None = None,
        metric: str = "ruler-all",
    ) -> Example:
        """The hay with needles in it, and what is asked about them.

        Args:
            kind: the task's name.
            needles: depth, 0 the beginning and 1 the end, and sentence of each.
            asked: the question.
            answers: its answers.
            gold: the needles that answer, by their places; all when None.
            metric: the measure.

        Raises:
            ValueError: a depth is outside 0 to 1.
        """
        text, spans = self._with(needles)
        name = f"{kind}-{self.words}-{self.seed}"
        places = range(len(needles)) if gold is None else gold
        found = tuple(Span(name, *spans[place]) for place in places)
        question = Question(asked, id=name, answers=tuple(answers), kind=kind)
        return Example(question, (Document(name, text),), found, name, metric)

    def _with(self, needles: Sequence[tuple[float, str]]) -> tuple[str, dict[int, tuple[int, int]]]:
        wrong = [depth for depth, _ in needles if not 0 <= depth <= 1]
        if wrong:
            raise ValueError(f"a depth of {wrong[0]} lies outside the text: give 0 to 1")
        hay = self.sentences()
        # (gap between sentences, number of the needle): needles of one gap stand in the order they were given in.
        order = sorted((round(depth * len(hay)), place) for place, (depth, _) in enumerate(needles))
        pieces: list[str] = []
        spans: dict[int, tuple[int, int]] = {}
        at, left = 0, list(order)
        for gap in range(len(hay) + 1):
            while left and left[0][0] == gap:
                place = left.pop(0)[1]
                spans[place] = (at, at + len(needles[place][1]))
                at = _add(pieces, needles[place][1], at, " ")
            if gap < len(hay):
                at = _add(pieces, hay[gap], at, "\n\n" if gap % _PARAGRAPH == _PARAGRAPH - 1 else " ")
        return "".join(pieces), spans


def depths(count: int, rng: random.Random) -> list[float]:
    """So many different depths, drawn from forty evenly over the text, or from more where forty are too few.

    After RULER (Hsieh et al. 2024, arXiv 2404.06654).
    """
    steps = max(40, count)
    return [place / (steps - 1) for place in rng.sample(range(steps), count)]


def _add(pieces: list[str], text: str, at: int, tail: str) -> int:
    pieces += [text, tail]
    return at + len(text) + len(tail)
