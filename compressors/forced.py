"""What is kept whatever it weighs: numbers, and what the user's own patterns match."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from ragctx.errors import ConfigError

# Chinese and Japanese numerals: a single one is as often a word ("一" is also "a"), two in a row are a number.
NUMERALS = "〇零一二三四五六七八九十百千万萬亿億兆两兩壹贰叁肆伍陆柒捌玖拾佰仟"
# Amounts, dates, times, shares and versions, with the sign that stands at them.
_NUMBER = re.compile(rf"[$€£¥]?\d+(?:[.,:/\-]\d+)*(?:[{NUMERALS}]+|[%‰]?)|[{NUMERALS}]{{2,}}")
# A pattern is tried on so many characters at a time, and given so many seconds for one text.
_STRETCH, _SECONDS = 400, 2.0
# One that repeats often is tried on so many characters first; twice as many may take it so many times as long.
_TRIALS, _OFTEN, _GROWTH = (50, 100, 200), 3, 32
_REPEATS = (codes.MAX_REPEAT, codes.MIN_REPEAT)


@dataclass(frozen=True, slots=True)
class Rules:
    r"""Which characters of a text have to stay.

    Patterns are Python's regular expressions, tried line by line. One that could take for ever is refused when the
    rules are made: a repeat within a repeat (`(a+)+`), a choice within one, and back-references. One that turns out
    slow (`.*.*.*.*=`) is given up on a text before it takes seconds. Long lines are tried in stretches, cut at blanks,
    so a match longer than that may be missed.

    Attributes:
        numbers: keep every number.
        patterns: regular expressions; what one matches stays, with the whole words that it touches.

    Raises:
        ConfigError: a pattern is none, or could take for ever.

    Example:
        >>> Rules(numbers=True).ranges("Rent rose 4.5% in 2024.")
        [(10, 14), (18, 22)]
        >>> Rules(numbers=True).ranges("租金为一千二百元")
        [(3, 7)]
        >>> Rules(patterns=(r"§ ?\d+",)).ranges("see § 12 there")
        [(4, 8)]
    """

    numbers: bool = False
    patterns: tuple[str, ...] = ()
    _compiled: tuple[re.Pattern[str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", tuple(map(_compiled, self.patterns)))

    @classmethod
    def of(cls, numbers: bool, patterns: str | Sequence[str]) -> Rules:
        """The rules of a compressor's options; a pattern may stand alone."""
        return cls(numbers, (patterns,) if isinstance(patterns, str) else tuple(patterns))

    def ranges(self, text: str) -> list[tuple[int, int]]:
        """Characters [start, end) that have to stay, in order, some perhaps overlapping.

        Raises:
            ConfigError: a pattern takes too long for this text.
        """
        found = [match.span() for match in _NUMBER.finditer(text)] if self.numbers else []
        for pattern in self._compiled:
            found += _found(pattern, text)
        return sorted(found)


def _found(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    until = time.monotonic() + _SECONDS
    often = _repeats(parser.parse(pattern.pattern)) >= _OFTEN
    for start, end in _stretches(text):
        if often:
            _try(pattern, text[start:end])
        yield from ((start + m.start(), start + m.end()) for m in pattern.finditer(text[start:end]) if m.group())
        if time.monotonic() > until:
            raise _slow(pattern)


def _try(pattern: re.Pattern[str], stretch: str) -> None:
    """Run a pattern on ever longer beginnings of a stretch, and give it up where the whole would take too long."""
    for size in (size for size in _TRIALS if size < len(stretch)):
        began = time.monotonic()
        pattern.findall(stretch[:size])
        if (time.monotonic() - began) * _GROWTH > _SECONDS:
            raise _slow(pattern)


def _slow(pattern: re.Pattern[str]) -> ConfigError:
    return ConfigError(f"the pattern {pattern.pattern!r} is too slow for this text: write a simpler one")


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    at = 0
    for line in text.splitlines(keepends=True):
        start, end = at, at + len(line)
        while end - start > _STRETCH:
            blank = text.rfind(" ", start + 1, start + _STRETCH)
            cut = blank if blank > start else start + _STRETCH
            yield start, cut
            start = cut
        yield start, end
        at = end


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
        parsed = parser.parse(pattern)
    except (re.error, OverflowError, RecursionError) as wrong:
        raise ConfigError(f"{pattern!r} is no regular expression: {wrong}") from wrong
    if _endless(parsed, repeated=False):
        raise ConfigError(
            f"the pattern {pattern!r} could take for ever: write it without a repeat or a choice in a repeat, "
            "and without back-references"
        )
    return compiled


def _endless(parsed: Sequence[Any], *, repeated: bool) -> bool:
    """Whether a parsed pattern repeats or chooses within a repeat, or refers back."""
    for code, argument in parsed:
        again = code in _REPEATS and argument[1] > 1
        if code in (codes.GROUPREF, codes.GROUPREF_EXISTS) or (repeated and (again or code is codes.BRANCH)):
            return True
        if any(_endless(inner, repeated=repeated or again) for inner in _inner(argument)):
            return True
    return False


def _repeats(parsed: Sequence[Any]) -> int:
    """How many repeats a parsed pattern has."""
    return sum(
        (code in _REPEATS and argument[1] > 1) + sum(map(_repeats, _inner(argument))) for code, argument in parsed
    )


def _inner(argument: object) -> Iterator[Sequence[Any]]:
    """The patterns that an instruction holds."""
    if isinstance(argument, parser.SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for part in argument:
            yield from _inner(part)


NONE = Rules()
