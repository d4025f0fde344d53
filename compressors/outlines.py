"""Outlines that a reader writes of numbered sentences: what they are about, and which sentences say it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NUMBERS = re.compile(r"\d+(?:\s*[-\u2013]\s*\d+)?")
_SCOPE = re.compile(r"^\W*scope\W*:\s*(?P<scope>.+)$", re.IGNORECASE)
# A label, a colon, and nothing after it but numbers and what parts them.
_ASPECT = re.compile(
    r"^[\s\-*\u2022#]*(?:\d+[.)]\s*)?(?P<about>[^:\n]*[^\W\d_][^:\n]*):\s*(?P<held>[\[(]*\d[\d\s,;&\-\u2013\[\]().]*)$"
)
_LONGEST = 80  # characters of a name


@dataclass(frozen=True, slots=True)
class Aspect:
    """One thing that some of the sentences are about, and their places from 0, in the order of the text."""

    about: str
    sentences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """What a text is about, under one name, and aspect by aspect; no sentence is in two aspects."""

    scope: str
    aspects: tuple[Aspect, ...]


def outline(reply: str, sentences: int) -> tuple[Outline, str]:
    r"""The outline in a reply, and what is wrong with it: empty where it can be used.

    A sentence that is named twice belongs where it is named first. Numbers that no sentence has are an error, for then
    the reader has numbered something else.

    Args:
        reply: a line "Scope: ..." and lines "ASPECT: NUMBERS".
        sentences: how many were numbered, from 1.

    Example:
        >>> found, problem = outline("Scope: a lease\nRent: 1, 3-4\n- Pets: 2, 3", 4)
        >>> found.scope, [(aspect.about, aspect.sentences) for aspect in found.aspects], problem
        ('a lease', [('Rent', (0, 2, 3)), ('Pets', (1,))], '')
        >>> outline("Scope: a lease\nRent: 1, 9", 4)[1]
        'there is no sentence 9: they are numbered 1 to 4'
    """
    scope, aspects, taken = "", [], set[int]()
    for line in reply.replace("\uff1a", ":").splitlines():
        if (named := _SCOPE.match(line)) and not scope:
            scope = _name(named["scope"])
        elif listed := _ASPECT.match(line.rstrip()):
            numbers = _numbers(listed["held"], sentences)
            if wrong := [number for number in numbers if not 1 <= number <= sentences]:
                return Outline("", ()), f"there is no sentence {wrong[0]}: they are numbered 1 to {sentences}"
            fresh = tuple(sorted({number - 1 for number in numbers} - taken))
            taken |= set(fresh)
            aspects += [Aspect(_name(listed["about"]), fresh)] if fresh else []
    return Outline(scope, tuple(aspects)), _problem(scope, aspects)


def _problem(scope: str, aspects: list[Aspect]) -> str:
    if not aspects:
        return "no line names an aspect and the numbers of its sentences"
    return "" if scope else "no line begins with Scope:"


def _numbers(held: str, most: int) -> list[int]:
    """The numbers of a list, ranges written out as far as one place past the last sentence."""
    found: list[int] = []
    for item in _NUMBERS.findall(held):
        first, last = (int(n[:9]) for n in (re.findall(r"\d+", item) * 2)[:2])
        found += range(first, min(last, most + 1) + 1) if first < last else [first]
    return found


def _name(text: str) -> str:
    return " ".join(text.strip("*_`#\"' \t").split())[:_LONGEST].rstrip()
