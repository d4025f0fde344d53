"""Every generator by its name, and sets of them by a short text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from ragctx.errors import ConfigError, UnknownName
from ragctx.evaluation.datasets.example import Example
from ragctx.evaluation.needles.hay import Hay
from ragctx.evaluation.needles.order import best_answer, sort_segments
from ragctx.evaluation.needles.threads import threads, tracing
from ragctx.evaluation.needles.values import multi_key, multi_value, single

NEEDLES: Final[Mapping[str, Callable[[Hay], Example]]] = {
    "single": single,
    "multi-key": multi_key,
    "multi-value": multi_value,
    "tracing": tracing,
    "threads": threads,
    "sort-segments": sort_segments,
    "best-answer": best_answer,
}


def generated(named: str) -> Iterator[Example]:
    """The examples of KIND:WORDS:COUNT, each from a seed of its own, counted from 0.

    Raises:
        UnknownName: no such kind. ConfigError: words or count are no whole numbers above 0.

    Example:
        >>> [found.question.id for found in generated("single:60:2")]
        ['needle-single-60-0', 'needle-single-60-1']
    """
    kind, _, rest = named.partition(":")
    words, _, count = rest.partition(":")
    if kind not in NEEDLES:
        raise UnknownName("kind of needles", kind, NEEDLES)
    if not words.isdecimal() or not count.isdecimal() or not int(words) or not int(count):
        raise ConfigError(f"needles:{named} says neither how long nor how many: write needles:{kind}:2000:10")
    return (NEEDLES[kind](Hay(int(words), seed)) for seed in range(int(count)))
