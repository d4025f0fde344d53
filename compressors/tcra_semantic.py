"""Leaves out the words that change least of what a sentence means, as an encoder tells it.

The idea is the semantic compression of TCRA-LLM (Liu et al., Findings of EMNLP 2023, arXiv:2310.15556).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from ragctx.compressors.choosing import all_or_nothing, fits, shares
from ragctx.compressors.fitting import fit, narrowed
from ragctx.compressors.forced import NUMERALS, Rules
from ragctx.compressors.recovery import recovered
from ragctx.compressors.tokens import Token
from ragctx.compressors.units import sentences
from ragctx.compressors.vectors import rows
from ragctx.errors import ConfigError
from ragctx.models import Models
from ragctx.types import Context, Line, Passage, Question, Range
from ragctx.types.costs import ZERO
from ragctx.work import Embed, Work

# Scripts without blanks give one word for each character, and one for a number.
_WIDE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{NUMERALS}]{{2,}}|[{_WIDE}]|[^\s{_WIDE}]+")
_MOST = 48  # words that are weighed together: encoding grows with the square of it
_PLAIN = "words that change least of what is said: over the token budget"
_FAR = "not like the question: over the token budget"


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, or some words in a row of a long one, and the words it is made of."""

    text: str
    words: tuple[Token, ...]

    def variants(self, passage: str) -> tuple[str, ...]:
        """The sentence without each of its words in turn."""
        first, last = self.words[0].start, self.words[-1].end
        return tuple(passage[first : word.start] + passage[word.end : last] for word in self.words)


@dataclass(frozen=True, slots=True)
class SemanticCompressor:
    """Drops from every sentence the words that move its embedding least.

    Each sentence is encoded whole and without each of its words in turn: a word whose absence changes little says
    little. That takes as many encodings as there are words, all asked for at once, one request a sentence, and the
    question has no part in it: an engine that remembers vectors encodes the same sentence once for all questions. By
    default none does, and every question pays for all of it again.

    Words alone cannot be dropped for ever: the method's own authors lose accuracy at a fifth. So at most `dropped` of
    a sentence goes, and where the budget demands more, the sentences least like the question go whole.

    Attributes:
        dropped: 0 to 1; the largest share of a sentence's words that is left out.
        numbers: keep every number in the sentences that stay. patterns: likewise what these expressions match.

    Raises:
        ConfigError: an option makes no sense, or nobody encodes.

    Example:
        >>> from ragctx.readers.scripted import Scripted
        >>> from ragctx.types import Span
        >>> from ragctx.work import run
        >>> model = Scripted()
        >>> models = Models({"reader": model.facts, "encoder": model.facts})
        >>> text = "The rent is ten crowns. The dogs and the cats are welcome in the yard."
        >>> context = Context((Passage(text, (Span("lease", 0, len(text)),)),))
        >>> work = SemanticCompressor().compress(Question("What is the rent?"), context, 4, models)
        >>> found = run(work, lambda requests: model.serve(requests, print))
        >>> found.passages[0].text
        'The rent is ten'
    """

    name: ClassVar[str] = "tcra-semantic"

    dropped: float = 0.3
    numbers: bool = False
    patterns: Sequence[str] = ()
    _rules: Rules = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 <= self.dropped <= 1:
            raise ConfigError(f"dropped={self.dropped} is no share: give 0 to 1")
        object.__setattr__(self, "_rules", Rules.of(self.numbers, self.patterns))

    def compress(self, question: Question, context: Context, budget: int, models: Models) -> Work[Context]:
        """A context of at most `budget` tokens by the reader's counter, of the words that mean most.

        Raises:
            ConfigError: nobody plays the role "encoder".
        """
        counter = models.reader.counter
        if budget <= 0 or fits(context.passages, counter, budget):
            return all_or_nothing(context, budget)
        if not models.can("encoder", "Embed"):
            raise ConfigError("tcra-semantic needs an encoder: name one, e.g. Pipeline.over(..., encoder='extractive')")
        found = [one for number, passage in enumerate(context.passages) for one in self._sentences(number, passage)]
        likeness, weighed = yield from _weighed(question.text, found, context.passages)
        kept = fit(context.passages, self._wanted(weighed, likeness), counter, budget)
        return narrowed(
            context,
            context.passages,
            kept,
            lambda number, whole: _FAR if whole else _PLAIN,
            signals=shares(context.passages, kept),
        )

    def recover(self, answer: str, before: Context, kept: Context) -> str:
        """The answer with what it copied from the kept text put as the whole text has it; see `recovered`."""
        return recovered(answer, before, kept)

    def estimate(
        self, context_tokens: int, passages: int, question_tokens: int, budget: int, models: Models
    ) -> tuple[Line, ...]:
        """The encoder's line: every sentence once for each of its words."""
        if context_tokens <= budget or budget <= 0:
            return ()
        expected = question_tokens + context_tokens * 20
        calls = 1 + max(passages, context_tokens / 24)
        return (
            Line("encoder", Range(expected / 4, expected, question_tokens + context_tokens * (_MOST + 1)), ZERO,
                 Range(1, calls, 1 + max(passages, context_tokens))),
        )  # fmt: skip

    def _sentences(self, number: int, passage: Passage) -> list[Sentence]:
        """The sentences of a passage; together their words hold all that is visible in it."""
        text = passage.text
        must = self._rules.ranges(text)
        found: list[Sentence] = []
        for start, end in sentences(text):
            words = [
                Token(number, *word.span(), forced=any(a < word.end() and word.start() < b for a, b in must))
                for word in _WORD.finditer(text, start, end)
            ]
            parts = -(-len(words) // _MOST)
            size = -(-len(words) // max(1, parts))
            for first in range(0, len(words), size or 1):
                some = tuple(words[first : first + size])
                found.append(Sentence(text[some[0].start : some[-1].end], some))
        return found

    def _wanted(self, weighed: Sequence[Sentence], likeness: Sequence[float]) -> list[Token]:
        """All words, most wanted first: sentence after sentence what must not go of it, then all the others.

        Rules hold within sentences that stay: what they force is the first to come of its sentence, not of all.
        """
        core: list[tuple[float, int, list[Token]]] = []
        rest: list[tuple[float, int, Token]] = []
        for place, (sentence, like) in enumerate(zip(weighed, likeness, strict=True)):
            words = sorted(sentence.words, key=lambda word: (not word.forced, -word.weight, word.start))
            forced = sum(word.forced for word in words)
            stay = max(forced, len(words) - int(self.dropped * len(words)))
            core.append((-like, place, [replace(word, forced=False) for word in words[:stay]]))
            rest += [(-word.weight, place, word) for word in words[stay:]]
        ranked = sorted(core, key=lambda one: one[:2])
        last = sorted(rest, key=lambda one: (one[0], one[1], one[2].start))
        return [*(word for *_, words in ranked for word in words), *(word for *_, word in last)]


def _weighed(
    question: str, found: Sequence[Sentence], passages: Sequence[Passage]
) -> Work[tuple[list[float], list[Sentence]]]:
    """How like the question every sentence is, and the sentences with weights on their words.

    Equal sentences are encoded once.
    """
    texts = [(one.text, *one.variants(passages[one.words[0].passage].text)) for one in found]
    once = {some[0]: number for number, some in reversed(list(enumerate(texts)))}
    asked = sorted(once.values())
    replies = yield [Embed((question,), query=True), *(Embed(texts[number]) for number in asked)]
    sizes = (1, *(len(texts[number]) for number in asked))
    [query], *vectors = [rows(*pair) for pair in zip(replies, sizes, strict=True)]
    told = dict(zip((texts[number][0] for number in asked), vectors, strict=True))
    likeness, weighed = [], []
    for one in found:
        whole, without = told[one.text][0], told[one.text][1:]
        moved = 1 - without @ whole
        words = tuple(replace(w, weight=float(m)) for w, m in zip(one.words, moved, strict=True))
        likeness.append(float(whole @ query))
        weighed.append(replace(one, words=words))
    return likeness, weighed
