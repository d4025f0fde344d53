"""Keeps the sentences that share the question's rarer words. Asks no model."""

from __future__ import annotations

import math
import re
from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from ragctx.compressors.sentence_filter import Divided, Rule
from ragctx.errors import ConfigError
from ragctx.grounding.words import content_words
from ragctx.models import Models
from ragctx.types import Context, Line, Question
from ragctx.work import Work

_NO_WORDS = "the question has no words to look for: sentences were kept as they came"
_ENDING = re.compile(r"(?<=[a-z]{3})(?:ations?|e?ments?|ings?|ied|ies|ed|es|ly|e|y)$")


@dataclass(frozen=True, slots=True)
class BM25Sentences:
    """Ranks the sentences of all passages by BM25 (Robertson et al., TREC-3) and keeps the best in their order.

    How rare a word is, is told by the sentences that came in. A sentence's likeness is its share of what the question's
    words could give, 0 to 1. What it cannot see is a sentence that answers in other words than the question's. A
    sentence that is longer than the whole budget is weighed in parts, so that one of them stays.

    Attributes:
        threshold: keep sentences at least so like the question, and no others; None: as many as the budget holds.
        keep_title: keep the headings above what is kept, where they fit too.
        k1: the higher, the longer repeating a word goes on helping. b: how much long sentences are held back, 0 to 1.

    Raises:
        ConfigError: an option makes no sense.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.types import Passage, Span
        >>> from ragctx.work import run
        >>> text = "Pets are fine. The rent is ten crowns. Windows are washed in spring."
        >>> context = Context((Passage(text, (Span("lease", 0, len(text)),)),))
        >>> models = Models({"reader": ModelFacts("m")})
        >>> run(BM25Sentences().compress(Question("What is the rent?"), context, 9, models)).passages[0].text
        'The rent is ten crowns.'
    """

    name: ClassVar[str] = "bm25-sentences"

    threshold: float | None = None
    keep_title: bool = True
    k1: float = 0.9
    b: float = 0.4

    def __post_init__(self) -> None:
        if not (self.k1 >= 0 and 0 <= self.b <= 1):
            raise ConfigError(f"k1={self.k1} and b={self.b}: give k1 of 0 or more and b from 0 to 1")
        self._rule()

    def compress(self, question: Question, context: Context, budget: int, models: Models) -> Work[Context]:
        """A context of at most `budget` tokens by the reader's counter, of the sentences most like the question."""
        yield from ()
        divided = Divided.of(context, budget, models.reader.counter)
        asked = frozenset(_terms(question.text))
        flat = likeness(asked, [_terms(text) for texts in divided.texts for text in texts], self.k1, self.b)
        values = iter(flat)
        found = self._rule().kept(
            divided, [[next(values) for _ in some] for some in divided.sentences], budget, models.reader.counter
        )
        return found if asked else replace(found, notes=(*found.notes, _NO_WORDS))

    def estimate(
        self, context_tokens: int, passages: int, question_tokens: int, budget: int, models: Models
    ) -> tuple[Line, ...]:
        """Nothing: no model is asked."""
        return ()

    def _rule(self) -> Rule:
        return Rule(self.threshold, self.keep_title, "of the question's words")


def likeness(asked: frozenset[str], texts: Sequence[Sequence[str]], k1: float, b: float) -> list[float]:
    """The BM25 of each text as a share of the most that the words could give, 0 to 1.

    Args:
        asked: words that are looked for.
        texts: each text's words.
        k1: see `BM25Sentences`.
        b: likewise.

    Example:
        >>> likeness(frozenset({"rent", "due"}), [["pet"], ["rent"], ["rent", "due"]], 0.9, 0.4)
        [0.0, 0.17..., 0.48...]
    """
    spread = Tally(word for words in texts for word in asked.intersection(words))
    rarity = {word: math.log(1 + (len(texts) - spread[word] + 0.5) / (spread[word] + 0.5)) for word in sorted(asked)}
    mean = sum(map(len, texts)) / max(1, len(texts)) or 1.0
    ceiling = sum(rarity.values()) * (k1 + 1) or 1.0

    def value(words: Sequence[str]) -> float:
        held = Tally(word for word in words if word in rarity)
        weight = k1 * (1 - b + b * len(words) / mean)
        return sum(rarity[word] * n * (k1 + 1) / (n + weight) for word, n in sorted(held.items())) / ceiling

    return [value(words) for words in texts]


def _terms(text: str) -> tuple[str, ...]:
    """Content words without their common English endings, so that forms of a word meet."""
    return tuple(_ENDING.sub("", word) if word.isascii() else word for word in content_words(text))
