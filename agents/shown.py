"""Fits demonstrations and the question's own documents into one prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ragctx.agents.demonstrating import Shot, Showing
from ragctx.agents.examples import Example
from ragctx.corpus import Corpus
from ragctx.models import Models
from ragctx.prompts import Prompt
from ragctx.strategies.chunk_sizes import chunk_tokens, least_filled
from ragctx.strategies.filling import Filler
from ragctx.strategies.limits import Ceiling
from ragctx.strategies.ordering import ordered, rising
from ragctx.types import Context, Passage, Question, Range

_RISING = partial(ordered, order="rising")
# How full a room is on average after it was filled with chunks.
_FULL = 0.95


@dataclass(frozen=True, slots=True)
class Shown:
    """How much of a prompt demonstrations and documents may take.

    Attributes:
        reading: the answering call, without demonstrations. question: what is asked.
        view: what it may read. models: facts about the models.
        room: most tokens of the question's passages, and of each demonstration's.
        spent: tokens the question was billed before.
    """

    reading: Showing
    question: Question
    view: Corpus
    models: Models
    room: int
    spent: int = 0

    def with_shots(self, shots: Sequence[Shot]) -> Showing:
        """The answering call with demonstrations."""
        plain = self.reading
        return Showing(plain.strategy, plain.templates, plain.output, plain.logprobs, tuple(shots))

    def filler(self, shots: Sequence[Shot]) -> Filler:
        """What fills the rest of the prompt; refuses where there is no room even for the question.

        Raises:
            LimitError: the prompt without the question's passages is over window or budget.
        """
        prompt, reader = self.with_shots(shots).prompt(self.question, self.view), self.models.reader
        ceiling = Ceiling.of(reader, self.reading.output, self.question, self.spent)
        bare = reader.counter.render(prompt.messages((), self.question))
        ceiling.check(bare)
        ceiling = ceiling.lowered(bare + self.room, f"{self.reading.strategy}(tokens={self.room})", bare)
        return Filler(prompt, self.question, reader.counter, ceiling, self.view, _RISING)

    def shot(self, example: Example, found: Context) -> Shot:
        """A demonstration with the best of what was found for it that is within the room, the best one last."""
        taken, left, block = list[Passage](), self.room, Prompt(self.reading.templates, self.view.manifest).block
        for passage in found.passages:
            cost = self.models.reader.counter.count(block(99, passage)) + 1
            if cost <= left:
                taken.append(passage)
                left -= cost
        return Shot(example.question, example.answer, tuple(rising(taken)))

    def assembled(self, chosen: Sequence[Example], found: Sequence[Context]) -> tuple[tuple[Shot, ...], Filler, str]:
        """The demonstrations that are shown, what fills the rest of the prompt, and a note where some were left out.

        Demonstrations give way to the question's own documents, the last ones first.

        Args:
            chosen: the demonstrations.
            found: for the question, then for each demonstration.

        Raises:
            LimitError: not even the question fits.
        """
        own, *theirs = found
        every = [self.shot(example, context) for example, context in zip(chosen, theirs, strict=True)]
        for kept in range(len(every), 0, -1):
            if self._leaves_room(every[:kept], own):
                left_out = f"{kept} of {len(every)} demonstrations are shown: more do not fit"
                return tuple(every[:kept]), self.filler(every[:kept]), left_out if kept < len(every) else ""
        return (), self.filler(()), "no demonstration fits beside the question's documents" if every else ""

    def typical(self, chosen: Sequence[Example], documents: int, *, sure: bool) -> Range:
        """The prompt's range where nothing can be found beforehand, from the chunks' lengths.

        Args:
            chosen: the demonstrations.
            documents: chunks of each search.
            sure: a search finds that many wherever there are as many.
        """
        counter, bare = self.models.reader.counter, self.filler(()).tokens(())
        limit = Ceiling.of(self.models.reader, self.reading.output, self.question, self.spent).tokens
        cap = float("inf") if limit is None else float(limit)
        room = min(float(self.room), cap - bare)
        chunks = min(documents, len(self.view.chunks))
        there = min(chunks * chunk_tokens(self.view, counter), _FULL * room)
        least = min(there, least_filled(self.view, counter, chunks, room)) if sure else 0.0
        plain = self.with_shots([self.shot(one, Context(given(one))) for one in chosen])
        with_shots = counter.render(plain.prompt(self.question, self.view).messages((), self.question))
        searches = sum(not one.documents for one in chosen)
        expected = with_shots + searches * min(chunks * chunk_tokens(self.view, counter), _FULL * self.room) + there
        most = with_shots + searches * self.room + room
        low = with_shots + (searches + 1) * least
        if most > cap:  # demonstrations may be left out: the first of them was longer than what was left then
            longest = with_shots - bare + (self.room if searches else 0)
            low = max(bare + least, min(low, cap - longest - (room - least)))
        high = max(low, min(most, cap))
        return Range(low, min(max(low, expected), high), high)

    def _leaves_room(self, shots: Sequence[Shot], own: Context) -> bool:
        prompt, reader = self.with_shots(shots).prompt(self.question, self.view), self.models.reader
        limit = Ceiling.of(reader, self.reading.output, self.question, self.spent).tokens
        if limit is None:
            return True
        wanted = min(self.room, sum(reader.counter.count(prompt.block(99, one)) + 1 for one in own.passages))
        return reader.counter.render(prompt.messages((), self.question)) + wanted <= limit


def given(example: Example) -> tuple[Passage, ...]:
    """The documents that a demonstration brings, as passages of no corpus."""
    return tuple(Passage(text, (), f"example {number}") for number, text in enumerate(example.documents, 1))
