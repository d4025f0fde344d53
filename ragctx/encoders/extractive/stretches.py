"""Answers of windows as characters of the whole text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from ragctx.encoders.extractive.words import Tokens
from ragctx.work import Stretch


def placed(text: str, tokens: Tokens, first: int, last: int, probability: float) -> Stretch:
    """The characters from one token to another, with the marks that belong to the last character."""
    start, end = int(tokens.starts[first]), int(tokens.ends[last])
    while end < len(text) and unicodedata.combining(text[end]):
        end += 1
    return Stretch(start, end, probability)


def best(found: Iterable[Stretch], count: int) -> tuple[Stretch, ...]:
    """At most `count` of them, likeliest first, none overlapping a likelier one: what two windows saw stays once.

    Example:
        >>> best([Stretch(0, 4, 0.2), Stretch(2, 6, 0.9), Stretch(6, 8, 0.1), Stretch(2, 6, 0.8)], 2)
        (Stretch(start=2, end=6, probability=0.9), Stretch(start=6, end=8, probability=0.1))
    """
    chosen: list[Stretch] = []
    for one in sorted(found, key=lambda stretch: (-stretch.probability, stretch.start, stretch.end)):
        if len(chosen) == count:
            break
        if one.start < one.end and all(one.end <= other.start or other.end <= one.start for other in chosen):
            chosen.append(one)
    return tuple(chosen)
