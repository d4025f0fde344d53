"""The prompts and the bill of map-extract for one question, and its one planning call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ragctx.agents import operations
from ragctx.agents.extracting import form
from ragctx.agents.items import schema as schema_of
from ragctx.agents.operations import Operation, Wanted
from ragctx.corpus import Corpus
from ragctx.models import Models
from ragctx.prompts.tasks import Task
from ragctx.prompts.texts import texts
from ragctx.strategies.limits import output_tokens
from ragctx.strategies.portions import portions
from ragctx.strategies.purse import Purse
from ragctx.types import Passage, Question
from ragctx.work import Completion, Failure, Generate, Message, Sampling, Work

if TYPE_CHECKING:
    from pydantic import BaseModel

_FILE = Path(__file__).with_name("texts") / "aggregating.toml"
_SLOTS = {
    "plan": ("QUESTION",),
    "extract": ("ITEM", "QUESTION", "FORM"),
    "check": ("ITEM", "QUESTION", "TOLD", "heading"),
}
WORKER, PLANNER = "worker", "planner"
# Tokens of the plan's reply at most.
PLAN = 48
# Portions that are rendered for an estimate; more are reckoned from so many evenly spaced ones.
_RENDERED = 64
# Tokens between a prompt without passages and one with them, besides the passages: the fence's lines.
_SLACK = 12
_EMPTY = Passage("", (), "x")

Portion = tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Asking:
    """What one question asks of models.

    Attributes:
        question: standing alone. view: what it may read. models: facts.
        tokens: of a portion. most: tokens of one portion's reply. item, operation, schema: the strategy's options.
    """

    question: Question
    view: Corpus
    models: Models
    tokens: int
    most: int
    item: str = ""
    operation: Operation | None = None
    schema: type[BaseModel] | None = None

    @property
    def task(self) -> Task:
        """Writes the prompts."""
        return Task(texts(_FILE, _SLOTS), self.view.manifest)

    @property
    def output(self) -> int:
        """Tokens that one portion's reply may have."""
        return output_tokens(self.models.of(WORKER), self.most)

    def known(self) -> Wanted | None:
        """What is wanted, where the options say what an item is; None where a plan is needed for it."""
        if not self.item and self.schema is None:
            return None
        words = operations.plain(self.question.text) or Wanted("list", "")
        described = (self.schema.__doc__ or self.schema.__name__).strip().splitlines()[0] if self.schema else ""
        return replace(words, item=self.item or described, operation=self.operation or words.operation)

    def wanted(self, purse: Purse) -> Work[tuple[Wanted, tuple[str, ...]]]:
        """What to look for and to compute; notes say where it was guessed."""
        if (known := self.known()) is not None:
            return known, ()
        sampling = Sampling(max_tokens=output_tokens(self.models.of(PLANNER), PLAN), stop=("\nQuestion:",))
        request = Generate(self.plan(), role=PLANNER, purpose="plan items", sampling=sampling, tolerant=True)
        [reply] = yield [request]
        purse.paid(cast("Completion | Failure", reply))
        failed = isinstance(reply, Failure)
        wanted = operations.planned("" if failed else cast("Completion", reply).text, self.question.text)
        notes = ("the planning call failed: the question's own words were taken",) if failed else ()
        if wanted is None:
            wanted = Wanted("list", self.question.text)
            notes = (*notes, "neither the question nor the plan says what to compute: items were listed")
        return replace(wanted, operation=self.operation or wanted.operation), notes

    def plan(self) -> tuple[Message, ...]:
        """The planning call's prompt."""
        return self.task.messages("plan", question=self.question.text)

    def parts(self) -> tuple[Portion, ...]:
        """All portions; the room is what the window leaves of `tokens`.

        Raises:
            LimitError: there is no room.
        """
        facts = self.models.of(WORKER)
        bare = facts.counter.render(self._extract(Wanted("sum", self.question.text), (_EMPTY,), 1)) + PLAN + _SLACK
        facts.must_fit(bare + 1, self.output)
        room = self.tokens if facts.window is None else min(self.tokens, facts.window - bare - self.output)
        return portions(self.view, room, facts.counter, self.task.block)

    def bill(self, parts: Sequence[Portion]) -> list[tuple[int, int]]:
        """The most that every call may take, the plan's words not being known yet."""
        counter, known = self.models.of(WORKER).counter, self.known()
        more = 0 if known else PLAN + _SLACK
        reading = [
            (counter.render(messages) + more, self.output)
            for messages in self._prompts(known or Wanted("sum", self.question.text), parts)
        ]
        return reading if known else [(self.planning(), PLAN), *reading]

    def planning(self) -> int:
        """Prompt tokens of the planning call."""
        return self.models.of(PLANNER).counter.render(self.plan())

    def expected(self) -> tuple[float, int]:
        """Prompt tokens of all portions with the question's words in place of the plan's, and how many there are."""
        parts, counter = self.parts(), self.models.of(WORKER).counter
        wanted = self.known() or operations.plain(self.question.text) or Wanted("list", self.question.text)
        rendered = [counter.render(m) for m in self._prompts(wanted, parts, max(1, len(parts) // _RENDERED))]
        return sum(rendered) * len(parts) / max(1, len(rendered)), len(parts)

    def requests(self, wanted: Wanted, parts: Sequence[Portion]) -> list[Generate]:
        """One for each portion; a failed one is missed and told."""
        sampling, schema = Sampling(max_tokens=self.output), schema_of(self.schema)
        return [
            Generate(messages, role=WORKER, purpose="extract items", sampling=sampling, schema=schema, tolerant=True)
            for messages in self._prompts(wanted, parts)
        ]

    def _prompts(self, wanted: Wanted, parts: Sequence[Portion], every: int = 1) -> list[tuple[Message, ...]]:
        firsts = [1]
        for part in parts:
            firsts.append(firsts[-1] + len(part))
        return [self._extract(wanted, parts[i], firsts[i]) for i in range(0, len(parts), every)]

    def _extract(self, wanted: Wanted, passages: Sequence[Passage], first: int) -> tuple[Message, ...]:
        item, asked = wanted.item or self.question.text, self.question.text
        shape = form(wanted.operation, self.schema)
        return self.task.messages("extract", passages, first=first, item=item, question=asked, form=shape)
