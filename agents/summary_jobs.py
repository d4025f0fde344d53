"""One question's summary: how documents are cut for it, and what all its calls take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragctx.agents.hierarchical import FILLED, HEADING, Tree, grown
from ragctx.agents.summaries import Wish, Writer
from ragctx.corpus import Corpus
from ragctx.models import ModelFacts, Models
from ragctx.strategies.portions import COUNTED, Portion, portion_count, portions
from ragctx.types import Line, Range

if TYPE_CHECKING:
    from ragctx.agents.summarising import Summarise

# A part of fewer tokens is not worth a call.
LEAST = 48
# How many calls are asked for once more; only plans rest on it. Three times all of them is the most a plan reckons
# with, however many tries are allowed: more than that says nothing.
_AGAIN, _MOST = 0.05, 3


@dataclass(frozen=True, slots=True)
class SummaryJob:
    """One question's summary: how long parts and summaries may be, and what all of it takes.

    Attributes:
        limit: most tokens of the summary.
    """

    strategy: Summarise
    writer: Writer
    worker: ModelFacts
    limit: int

    @property
    def focused(self) -> str:
        """Which of the prompts' texts are taken."""
        return "focused" if self.strategy.focused else "plain"

    @property
    def incremental(self) -> bool:
        """Whether one summary is brought up to date part by part."""
        return self.strategy.workflow == "incremental"

    @property
    def most(self) -> int:
        """Times that every call may be made, as a plan reckons."""
        return min(_MOST, self.strategy.tries)

    def room(self) -> int:
        """Tokens of a part's blocks.

        Raises:
            DoesNotFit: there is none for anything.
        """
        facts = self.writer.facts if self.incremental else self.worker
        frame = self.frame(f"part_{self.focused}")
        if self.incremental:  # the summary so far stands in the prompt
            frame = max(frame, self.frame(f"update_{self.focused}") + self.limit)
        facts.must_fit(frame + LEAST, self.limit)
        window = facts.window
        return self.strategy.part if window is None else min(self.strategy.part, window - frame - self.limit)

    def frame(self, text: str) -> int:
        """Tokens of a prompt without passages and without an earlier summary."""
        values = (("summary", ""),) if text.startswith("update") else ()
        return self.writer.frame(Wish(text, "", (), self.limit, (), values=values))

    def cut(self, view: Corpus) -> tuple[Portion, ...]:
        """The parts, those that are all blank left out."""
        every = portions(view, self.room(), self.worker.counter, self.writer.task.block)
        return tuple(portion for portion in every if any(passage.text.strip() for passage in portion))

    def tree(self, parts: int) -> Tree:
        """How the summaries of so many parts are merged.

        Raises:
            DoesNotFit: the window does not hold two summaries and one to be written.
        """
        frame = self.frame(f"merge_{self.focused}")

        def fan(child: int, own: int) -> int:
            self.writer.facts.must_fit(frame + 2 * (child + HEADING), own)
            window = self.writer.facts.window
            room = self.strategy.part if window is None else min(self.strategy.part, window - frame - own)
            return room // (child + HEADING)

        return grown(parts, self.limit, fan)

    def check(self, cut: Sequence[Portion], models: Models) -> None:
        """Refuse what window or budget does not hold, before the first call.

        Raises:
            LimitError: with the numbers.
        """
        if not cut:
            return
        prompts = self.prompts(cut)
        facts = self.writer.facts if self.incremental else models.of("worker")
        if self.incremental:
            extra = self.frame(f"update_{self.focused}") + self.limit - self.frame(f"part_{self.focused}")
            bill = [(prompt + (max(0, extra) if place else 0), self.limit) for place, prompt in enumerate(prompts)]
        else:
            tree = self.tree(len(cut))
            merges = tree.calls - len(cut)
            above = tree.merges(self.frame(f"merge_{self.focused}")), tree.written() - len(cut) * tree.limits[0]
            bill = [(prompt, tree.limits[0]) for prompt in prompts]
            bill += [(above[0] // merges + 1, above[1] // merges + 1)] * merges if merges else []
        for prompt, output in bill[: len(cut)]:
            facts.must_fit(prompt, output)
        self.writer.purse.check_all(bill)

    def prompts(self, cut: Sequence[Portion]) -> list[int]:
        """Tokens of the first level's prompts."""
        number, counted = 1, []
        for portion in cut:
            wish = Wish(f"part_{self.focused}", "", tuple(portion), self.limit, (), number)
            counted.append(self.worker.counter.render(self.writer.messages(wish)))
            number += len(portion)
        return counted

    def first(self, view: Corpus) -> tuple[int, int]:
        """How many parts there are, and tokens of their prompts; reckoned where the documents are some megabytes."""
        if view.characters <= COUNTED:
            cut = self.cut(view)
            return len(cut), sum(self.prompts(cut))
        room = self.room()
        parts = portion_count(view, room, self.worker.counter, self.writer.task.block)
        return parts, parts * (self.frame(f"part_{self.focused}") + room)

    def lines(self, view: Corpus, models: Models) -> tuple[Line, ...]:
        """What the calls are expected to take."""
        parts, first = self.first(view)
        if not parts:
            return (Line("reader", Range.exactly(0), Range.exactly(0), Range.exactly(0)),)
        if self.incremental:
            return (self._updates(parts, first),)
        tree = self.tree(parts)
        frame = self.frame(f"merge_{self.focused}")
        level = self._line("worker" if parts > 1 else "reader", Range.exactly(first), parts, parts * tree.limits[0])
        if parts == 1:
            return (level,)
        merges, above = tree.calls - parts, tree.merges(frame)
        lead = tree.merges(frame, FILLED)
        written = tree.written() - parts * tree.limits[0]
        top = Line(
            "reader", Range(0, min(above, lead * (1 + _AGAIN)), above * self.most),
            Range(0, FILLED * written, self.most * written), Range(0, merges, self.most * merges),
        )  # fmt: skip
        return (level, top)

    def _updates(self, parts: int, first: int) -> Line:
        extra = self.frame(f"update_{self.focused}") - self.frame(f"part_{self.focused}")
        low = first + min(0, extra) * (parts - 1)
        likely = first + (parts - 1) * (extra + FILLED * self.limit)
        high = first + (parts - 1) * (max(0, extra) + self.limit)
        return self._line("reader", Range(low, max(low, likely), max(low, high)), parts, parts * self.limit)

    def _line(self, role: str, prompt: Range, calls: int, output: int) -> Line:
        """Every call once; some again, at most all of them as often as may be."""
        most = self.most
        again = _AGAIN if self.strategy.tries > 1 else 0.0
        return Line(
            role,
            Range(prompt.low, min(prompt.high, prompt.expected) * (1 + again), prompt.high * most),
            Range(calls, max(calls, FILLED * output), max(calls, most * output)),
            Range(calls, calls * (1 + again), calls * most),
        )
