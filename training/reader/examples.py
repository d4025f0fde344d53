"""What the model learns from: a question, a passage, and what of the passage matters."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

Span = tuple[int, int]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of an article, as long as a chunk of the product.

    Attributes:
        article: what training and test are divided by. title: of the document; may be "".
    """

    article: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Example:
    """A question with a passage that answers it, and passages that do not.

    Attributes:
        source: the name of the data set.
        answers: character ranges of the passage, alternatives; none where the answer is not a stretch of it.
        evidence: character ranges whose sentences have to be kept; none where nobody marked them.
        negatives: passages that look alike and do not answer, hardest first.
        part: "train", "dev" or "test".
    """

    id: str
    source: str
    question: str
    passage: Passage
    answers: tuple[Span, ...] = ()
    evidence: tuple[Span, ...] = ()
    negatives: tuple[Passage, ...] = ()
    part: str = "train"


def sample(every: Sequence[T], most: int, seed: int = 0) -> list[T]:
    """At most so many of them, the same ones every time; all where `most` is 0.

    Example:
        >>> sample([1, 2], 5), len(sample(range(9), 3)), len(sample(range(9), 0))
        ([1, 2], 3, 9)
    """
    return random.Random(seed).sample(list(every), most) if 0 < most < len(every) else list(every)


def article_key(title: str) -> str:
    """One key for all sections and spellings of an article's title.

    Example:
        >>> article_key("Nikola_Tesla / Early years") == article_key("Nikola Tesla")
        True
    """
    return re.sub(r"[^a-z0-9]+", " ", title.split(" / ")[0].lower()).strip()


def share(key: str) -> float:
    """A number in [0, 1) that depends on the key alone: the same article falls into the same part in every run."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") / 2**32


def found(answers: Iterable[str], text: str) -> tuple[Span, ...]:
    """Where answers stand in a text as whole words, whatever their case.

    Example:
        >>> found(["Rome"], "In Rome. Rome's roads. Romeo.")
        ((3, 7), (9, 13))
    """
    spans: set[Span] = set()
    for answer in answers:
        if wanted := answer.strip():
            pattern = rf"(?<!\w){re.escape(wanted)}(?!\w)"
            spans.update(match.span() for match in re.finditer(pattern, text, re.IGNORECASE))
    return tuple(sorted(spans))


def overlapping(spans: Iterable[Span], start: int, end: int) -> tuple[Span, ...]:
    """The parts of spans that lie in [start, end), counted from start."""
    inside = ((max(first, start) - start, min(last, end) - start) for first, last in spans)
    return tuple((first, last) for first, last in inside if first < last)
