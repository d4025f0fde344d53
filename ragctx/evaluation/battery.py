"""The prompts of a probe: needles in texts of doubling lengths, the same questions at every length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

from ragctx.errors import ConfigError
from ragctx.evaluation.datasets import Example
from ragctx.evaluation.needles import Hay, multi_key, single
from ragctx.models import ModelFacts, Models
from ragctx.prompts import Prompt, shipped
from ragctx.types import Estimate, Line, Passage, Question, Range
from ragctx.work import Message

SHORTEST: Final = 1_000
PROMPTS: Final = 10
OUTPUT: Final = 64  # tokens that a reply may have: a number of seven digits in a sentence
_KINDS: Final[tuple[Callable[[Hay], Example], ...]] = (single, multi_key)
_EXPECTED_OUTPUT: Final = 16
_NEAR: Final = 1.25  # the last doubling is lengthened to the end where it comes so near to it
_FILLED: Final = 0.97  # a prompt of so large a share of its length is long enough
_TRIES: Final = 12


@dataclass(frozen=True, slots=True)
class Task:
    """One prompt: what is sent, and the question with its gold answer."""

    messages: tuple[Message, ...]
    question: Question
    tokens: int


@dataclass(frozen=True, slots=True)
class Battery:
    """Prompts with one needle asked for, half of them among needles of other keys, at several lengths.

    A length is that of the rendered prompt with its reply, by the reader's counter. The texts of one place differ
    between lengths in their length alone: what is asked and how deep it stands are the same.

    Attributes:
        lengths: ascending, in tokens. prompts: of each length. seed: of the texts.

    Example:
        >>> Battery.of(ModelFacts("m", window=8192)).lengths
        (1000, 2000, 4000, 8192)
    """

    lengths: tuple[int, ...]
    prompts: int = PROMPTS
    seed: int = 0

    @classmethod
    def of(
        cls, facts: ModelFacts, most: int | None = None, shortest: int = SHORTEST, prompts: int = PROMPTS, seed: int = 0
    ) -> Battery:
        """The battery for one reader, from the shortest length to the declared window.

        Args:
            facts: of the reader.
            most: the longest length, within the window; all of the window when not given.
            shortest: where doubling begins.
            prompts: of each length.
            seed: of the texts.

        Raises:
            ConfigError: the reader writes nothing, its window is not known and `most` not given, `most` lies beyond
                the window, or the shortest length is above the longest.
        """
        if "Generate" not in facts.kinds:
            raise ConfigError(f"{facts.name} writes nothing, so there is no window to measure: name a language model")
        if prompts < 2 or shortest < 1:
            raise ConfigError(f"{prompts} prompts from {shortest} tokens: give at least 2 prompts and 1 token")
        end = _end(facts, most)
        if end < shortest:
            raise ConfigError(
                f"{facts.name} is to be asked up to {end:,} tokens, and the shortest prompts have {shortest:,}: "
                "begin with shorter ones (--shortest 400), or widen the window"
            )
        lengths = [shortest]
        while lengths[-1] * 2 <= end:
            lengths.append(lengths[-1] * 2)
        if end <= lengths[-1] * _NEAR and len(lengths) > 1:
            lengths.pop()
        return cls((*lengths, *([end] if lengths[-1] != end else [])), prompts, seed)

    @property
    def most(self) -> int:
        """The longest length."""
        return self.lengths[-1]

    def estimate(self, facts: ModelFacts) -> Estimate:
        """What asking would take: at least the shortest length, at most all of them."""
        calls, every = self.prompts, self.prompts * len(self.lengths)
        least, all_of_it = (calls * (self.lengths[0] - OUTPUT) * _FILLED), calls * (sum(self.lengths))
        prompt = Range(max(0, least), max(least, all_of_it - every * OUTPUT), all_of_it)
        output = Range(calls, every * _EXPECTED_OUTPUT, every * OUTPUT)
        line = Line("reader", prompt, output, Range(calls, every, every))
        return Models({"reader": facts}).price(Estimate((line,)))

    def tasks(self, length: int, facts: ModelFacts) -> Iterator[Task]:
        """The prompts of one length.

        Raises:
            ConfigError: the length leaves no room for a text.
        """
        words = 0
        for place in range(self.prompts):
            kind, seed = _KINDS[place % len(_KINDS)], self.seed * 10_000 + place
            words, task = _sized(kind, seed, length, facts, words)
            yield task


def _end(facts: ModelFacts, most: int | None) -> int:
    if most is None and facts.window is None:
        raise ConfigError(f"{facts.name} declares no window: say how far to go with --most TOKENS")
    if most is not None and facts.window is not None and most > facts.window:
        raise ConfigError(
            f"{most:,} tokens are more than {facts.name}'s window of {facts.window:,}: give fewer, or another window"
        )
    return most if most is not None else facts.window or 0


def _sized(kind: Callable[[Hay], Example], seed: int, length: int, facts: ModelFacts, words: int) -> tuple[int, Task]:
    """The words of hay that fill a length nearly, and the prompt; `words` is where to begin, 0 for nowhere."""
    room = length - OUTPUT
    bare = _task(kind(Hay(1, seed)), facts).tokens
    if bare >= room:
        raise ConfigError(
            f"{length:,} tokens leave no room for a text: give at least {bare + OUTPUT + 100} (--shortest)"
        )
    words = words or max(1, int((room - bare) * 0.6))
    for tried in count():
        task = _task(kind(Hay(words, seed)), facts)
        if task.tokens <= room and (task.tokens >= room * _FILLED or tried >= _TRIES):
            break
        words = max(1, int(words * (room - bare) / max(1, task.tokens - bare) * 0.99))
    return words, task


def _task(example: Example, facts: ModelFacts) -> Task:
    """The prompt that reading everything would send."""
    passages = [Passage(document.text[:], (), document.id) for document in example.documents]
    messages = Prompt(shipped(), example.group).messages(passages, example.question)
    return Task(messages, example.question, facts.counter.render(messages))
