"""Is a quote really in the source, and where: the gate that drops what a model made up.

Models that were not trained to quote invent evidence when they are asked for it (ALR2, arXiv 2410.03227), so that the
share of quotes that the source does not hold is worth telling. A quote may differ in blanks, case and marks, and in a
few characters: the share of characters in common must be 0.9. Its figures must all be there, however alike the rest:
"500 crowns" is no quote of "900 crowns". What is used afterwards is the source's own text, never the model's.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property

# Characters in common, from which on a quote counts as one.
LEAST = 0.9
_WIDE = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
# What is compared: words, figures, and each character of scripts that write without blanks. Marks are passed over.
_WORDS = re.compile(rf"[{_WIDE}]|\d+(?:[.,]\d+)*|[^\W\d_{_WIDE}]+(?:['\u2019][^\W\d_{_WIDE}]+)*", re.UNICODE)
# Places that are compared letter by letter, and words a place may be shifted or longer by.
_TRIED, _SLACK = 4, 2
# A word that stands in more places than this says nothing about where a quote is.
_COMMON = 64
# A quote longer than this is no quote; comparing letters grows with the square of the length.
_LONGEST = 4000


@dataclass(frozen=True, slots=True, order=True)
class Match:
    """Characters [start, end) of a source that a quote stands for, and the share of characters in common."""

    start: int
    end: int
    ratio: float = 1.0


@dataclass(frozen=True)
class Source:
    """A text in which quotes are looked up.

    Example:
        >>> source = Source("The rent is 900 crowns. Pets are welcome at any time of the day.")
        >>> match = source.find('"pets are welcome, at any times of the day"')
        >>> source.text[match.start : match.end], round(match.ratio, 2)
        ('Pets are welcome at any time of the day', 0.99)
        >>> source.find("The rent is 500 crowns."), source.find("Dogs must be kept on a lead.")
        (None, None)
    """

    text: str

    @property
    def words(self) -> tuple[str, ...]:
        """Its words as they are compared."""
        return tuple(word for word, _, _ in self._words)

    @cached_property
    def _words(self) -> list[tuple[str, int, int]]:
        return _split(self.text)

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        places: dict[str, list[int]] = {}
        for number, (word, _, _) in enumerate(self._words):
            places.setdefault(word, []).append(number)
        return places

    def find(self, quote: str, least: float = LEAST) -> Match | None:
        """Where the quote stands, the best place of several; None where it does not."""
        exact = self.everywhere(quote)
        return exact[0] if exact else self._nearly(_split(quote[:_LONGEST]), least)

    def everywhere(self, quote: str) -> list[Match]:
        """All places where exactly these words follow each other, whatever stands between them."""
        words = [word for word, _, _ in _split(quote[:_LONGEST])]
        if not words:
            return []
        rarest = min(range(len(words)), key=lambda i: len(self._places.get(words[i], ())))
        starts = [place - rarest for place in self._places.get(words[rarest], ())]
        return [self._match(at, len(words), 1.0) for at in starts if at >= 0 and self._said(at, len(words)) == words]

    def _nearly(self, quote: list[tuple[str, int, int]], least: float) -> Match | None:
        words = [word for word, _, _ in quote]
        tried = [self._compared(words, at, size) for at, size in self._windows(words)]
        best = max(tried, key=lambda match: (match.ratio, -match.start), default=None)
        return best if best is not None and best.ratio >= least else None

    def _windows(self, words: list[str]) -> list[tuple[int, int]]:
        """Where in the source a quote might stand, as first word and number of words: most words in step first."""
        votes = Counter(
            place - number
            for number, word in enumerate(words)
            if len(self._places.get(word, ())) <= _COMMON
            for place in self._places.get(word, ())
        )
        likely = sorted(votes, key=lambda at: (-votes[at], at))[:_TRIED]
        near = {
            (at + shift, len(words) + more)
            for at in likely
            for shift in range(-_SLACK, _SLACK + 1)
            for more in range(-_SLACK, _SLACK + 1)
        }
        return sorted((at, size) for at, size in near if at >= 0 and size > 0 and at + size <= len(self._words))

    def _compared(self, words: list[str], at: int, size: int) -> Match:
        said = self._said(at, size)
        wrong = {word for word in words if word[0].isdigit()} - set(said)
        return self._match(at, size, 0.0 if wrong else _alike(" ".join(words), " ".join(said)))

    def _said(self, at: int, size: int) -> list[str]:
        return [word for word, _, _ in self._words[at : at + size]]

    def _match(self, at: int, size: int, ratio: float) -> Match:
        return Match(self._words[at][1], self._words[at + size - 1][2], ratio)


def _split(text: str) -> list[tuple[str, int, int]]:
    """Words in lower case, each with its characters [start, end)."""
    return [(_plain(found.group()), found.start(), found.end()) for found in _WORDS.finditer(text)]


def _plain(word: str) -> str:
    return word.replace(",", "") if word[0].isdigit() else word.casefold().replace("\u2019", "'")


def _alike(one: str, other: str) -> float:
    match = SequenceMatcher(None, one, other, autojunk=False)
    return 0.0 if match.real_quick_ratio() < 0.5 or match.quick_ratio() < 0.5 else match.ratio()
