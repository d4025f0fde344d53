"""Figures in running text: with their unit, as digits or in words."""

from __future__ import annotations

import re

_ONES: list[str] = (  # noqa: SIM905 - words are read as words
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS: list[str] = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
_VALUES = {word: value for value, word in enumerate(_ONES)} | {word: 10 * n for n, word in enumerate(_TENS, 2)}
_VALUES |= {f"{ten}-{one}": _VALUES[ten] + _VALUES[one] for ten in _TENS for one in _ONES[1:10]}
_WORDS = "|".join(sorted(_VALUES, key=len, reverse=True))
_NUMBER = rf"(?<![\w.,-])(?:-?\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|-?\d+(?:\.\d+)?|(?:{_WORDS})(?!\w))"
_ANY = re.compile(_NUMBER, re.IGNORECASE)
_SPELT = 12


def figures(text: str, unit: str = "") -> list[tuple[int, float]]:
    """Where figures stand and what they are; with a unit only those that it follows.

    Example:
        >>> [value for _, value in figures("Garrow 18 tonnes, and Emmer seven tonnes, at 70 crowns a tonne", "tonnes")]
        [18.0, 7.0]
        >>> figures("It cost 1,250.50 in part RW-101.")
        [(8, 1250.5)]
    """
    return [(found.start(), number(found.group())) for found in _pattern(unit).finditer(text)]


def number(word: str) -> float:
    """The value of one figure that `figures` finds."""
    return float(_VALUES[word.casefold()]) if word[0].isalpha() else float(word.replace(",", ""))


def shown(value: float, *, words: bool = False) -> str:
    """A figure as people write it; small whole ones in words where asked for.

    Example:
        >>> shown(6, words=True), shown(1250.0), shown(12.345), shown(0.5)
        ('six', '1,250', '12.35', '0.5')
    """
    if words and value == int(value) and 0 <= value <= _SPELT:
        return _ONES[int(value)]
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def _pattern(unit: str) -> re.Pattern[str]:
    if not unit:
        return _ANY
    # One letter less or more: "tonne" and "tonnes".
    stem = re.escape(unit[:-1] if unit.endswith("s") and len(unit) > 3 else unit)
    return re.compile(rf"{_NUMBER}(?=\s+{stem}(?:s|es)?\b)", re.IGNORECASE)
