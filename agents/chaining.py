"""The chain of Chain-of-Agents: what each worker reads, in which orders, and the message it passes on."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import overload

from ragctx.corpus import Corpus
from ragctx.grounding import declined
from ragctx.models import Counter, ModelFacts
from ragctx.prompts import Templates, harmless
from ragctx.prompts.replies import lines, nothing
from ragctx.prompts.tasks import Task
from ragctx.strategies.cutting import Cut
from ragctx.types import Passage, Span
from ragctx.work import Completion, Generate, Message, Sampling

PURPOSE = "worker notes"
# A model that goes on after its notes asks itself the next question, in the form of the prompt's.
_STOP = ("\nQuestion:",)
# A reply that ended so ends within a line.
_CUT = ("length", "loop")
# The line that shows the form, copied.
_FORM = re.compile(r"^(?:a\s+)?fact\s*\[?\s*(?:number|n|\d+)?\s*\]?\.?$", re.IGNORECASE)

DIRECTIONS = ("left-to-right", "right-to-left", "both", "permuted")


def orders(direction: str, portions: int, paths: int) -> tuple[tuple[int, ...], ...]:
    """The orders in which chains read their portions; the same ones every time.

    Args:
        direction: one of `DIRECTIONS`.
        portions: how many there are.
        paths: orders of "permuted", the document's own first. Orders that come out alike are read once.

    Example:
        >>> orders("both", 3, 5)
        ((0, 1, 2), (2, 1, 0))
        >>> len(orders("permuted", 2, 5))
        2
    """
    left = tuple(range(portions))
    if direction == "permuted":
        return tuple(dict.fromkeys([left, *_shuffled(left, paths - 1)]))
    wanted = {"left-to-right": (left,), "right-to-left": (left[::-1],), "both": (left, left[::-1])}[direction]
    return tuple(dict.fromkeys(wanted))


def _shuffled(order: tuple[int, ...], times: int) -> Iterator[tuple[int, ...]]:
    for seed in range(times):
        yield tuple(random.Random(seed).sample(order, len(order)))  # noqa: S311 - an order, no secret


@dataclass(frozen=True, slots=True)
class Chain:
    """What the workers of one question are asked.

    Attributes:
        task: how their prompts are written. question: what is asked.
        facts: of the workers' model. message: most tokens of a message. cuts: the portions.
    """

    task: Task
    question: str
    facts: ModelFacts
    message: int
    cuts: tuple[Cut, ...]

    @property
    def firsts(self) -> tuple[int, ...]:
        """The number of each portion's first passage."""
        return tuple(accumulate((len(cut.spans) for cut in self.cuts[:-1]), initial=1))

    def request(self, number: int, portion: Sequence[Passage], notes: str) -> Generate:
        """What the worker of one portion is asked.

        Args:
            number: of the portion, from 0.
            portion: its passages.
            notes: the message of the workers before.
        """
        messages = self.prompt(portion, notes, self.firsts[number])
        sampling = Sampling(max_tokens=self.message, stop=_STOP)
        return Generate(messages, role="worker", purpose=PURPOSE, sampling=sampling, tolerant=True)

    def prompt(self, portion: Sequence[Passage], notes: str, first: int = 1) -> tuple[Message, ...]:
        """A worker's prompt."""
        name, kept = ("next", [notes]) if notes else ("first", [])
        return self.task.messages(name, portion, notes=kept, first=first, question=self.question)

    def bare(self, notes: str = "") -> int:
        """Tokens of a worker's prompt without its portion's blocks."""
        stand_in = Passage("x", (), "x")
        counter = self.facts.counter
        return counter.render(self.prompt([stand_in], notes)) - counter.count(self.task.block(1, stand_in))


def message(reply: Completion, before: str, most: int, counter: Counter, templates: Templates) -> str:
    r"""The message that a worker passes on: a line a fact, no line twice, at most so many tokens.

    A worker that has nothing new, says that the texts do not answer, or says nothing, passes on what it was given.

    Args:
        reply: what it wrote.
        before: the message it was given.
        most: tokens.
        counter: of its model.
        templates: those whose refusal it may have copied.

    Example:
        >>> from ragctx.models import EstimatedCounter
        >>> from ragctx.prompts import shipped
        >>> message(Completion("1. Rent is due [2].\n* Rent is due [2]."), "", 50, EstimatedCounter(), shipped())
        '- Rent is due [2].'
        >>> message(Completion("Nothing new."), "- Rent is due [2].", 50, EstimatedCounter(), shipped())
        '- Rent is due [2].'
    """
    if nothing(reply.text):
        return before
    said = lines(harmless(reply.text))
    if reply.finish in _CUT and len(said) > 1:
        said = said[:-1]
    facts = [line for line in dict.fromkeys(said) if not _FORM.match(line) and not nothing(line)]
    if not facts or (len(facts) == 1 and declined(facts[0], templates)):
        return before
    kept: list[str] = []
    for fact in facts:
        if counter.count("\n".join([*kept, f"- {fact}"])) <= most:
            kept.append(f"- {fact}")
    return "\n".join(kept) or before


@dataclass(frozen=True, slots=True)
class Numbered(Sequence[Passage]):
    """The passages of all portions, each loaded when it is asked for: passage n of the prompts is item n - 1.

    Attributes:
        view: what they are cut from. spans: of each.
    """

    view: Corpus
    spans: tuple[Span, ...]

    def __len__(self) -> int:
        return len(self.spans)

    @overload
    def __getitem__(self, key: int, /) -> Passage: ...
    @overload
    def __getitem__(self, key: slice, /) -> list[Passage]: ...
    def __getitem__(self, key: int | slice, /) -> Passage | list[Passage]:
        if isinstance(key, slice):
            return [self.view.passage(span) for span in self.spans[key]]
        return self.view.passage(self.spans[key])
