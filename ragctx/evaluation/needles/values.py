"""Look-ups in hay: one key, one key among many, and one key with several values.

The tasks are RULER's (Hsieh et al. 2024, arXiv 2404.06654); words, keys and sentences are ours.
"""

from __future__ import annotations

import random

from ragctx.evaluation.datasets.example import Example
from ragctx.evaluation.needles.hay import PLACES, THINGS, Hay, depths


def single(hay: Hay, depth: float | None = None) -> Example:
    """One needle, at a given depth or one that is drawn.

    Example:
        >>> found = single(Hay(80), depth=0.5)
        >>> found.documents[0].text[found.gold[0].start : found.gold[0].end].endswith(found.question.answers[0] + ".")
        True
    """
    rng = hay.random("single")
    key, number = _keys(1, rng)[0], _numbers(1, rng)[0]
    where = depths(1, rng)[0] if depth is None else depth
    return hay.example("needle-single", [(where, _said(key, number))], _asked(key), [number])


def multi_key(hay: Hay, keys: int = 4) -> Example:
    """One needle is asked for; the others have other keys.

    Raises:
        ValueError: fewer than one key.
    """
    rng = hay.random("multi-key")
    names, numbers = _keys(keys, rng), _numbers(keys, rng)
    wanted = rng.randrange(keys)
    needles = [(d, _said(k, n)) for d, k, n in zip(depths(keys, rng), names, numbers, strict=True)]
    return hay.example("needle-multi-key", needles, _asked(names[wanted]), [numbers[wanted]], [wanted])


def multi_value(hay: Hay, values: int = 4) -> Example:
    """One key has several values, and all are asked for.

    Raises:
        ValueError: fewer than one value.
    """
    rng = hay.random("multi-value")
    [key], numbers = _keys(1, rng), _numbers(values, rng)
    needles = [(d, _said(key, n)) for d, n in zip(depths(values, rng), numbers, strict=True)]
    asked = f"What are all the registry numbers of the {key}? Name every one that the text gives."
    return hay.example("needle-multi-value", needles, asked, numbers)


def _keys(count: int, rng: random.Random) -> list[str]:
    if count < 1:
        raise ValueError(f"{count} keys leave nothing to ask for: give at least 1")
    every = [f"{place} {thing}" for place in PLACES for thing in THINGS]
    # Beyond the names there are, further ones are told apart by a number.
    turns = range(-(-count // len(every)))
    named = [f"{name} {turn}" if turn else name for turn in turns for name in every]
    return rng.sample(named, count)


def _numbers(count: int, rng: random.Random) -> list[str]:
    if count < 1:
        raise ValueError(f"{count} values leave nothing to ask for: give at least 1")
    return [str(number) for number in rng.sample(range(1_000_000, 10_000_000), count)]


def _said(key: str, number: str) -> str:
    return f"The registry number of the {key} is {number}."


def _asked(key: str) -> str:
    return f"What is the registry number of the {key}?"
