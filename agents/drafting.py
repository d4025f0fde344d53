"""One long text in the making: its plan, its parts, what every call of it may take."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ragctx.agents.outlines import LONGEST, Step, count, ending, length_score, outline, planned, wanted
from ragctx.agents.summaries import ended
from ragctx.corpus import Corpus
from ragctx.corpus.sentences import bounds
from ragctx.errors import ConfigError, RequestFailed
from ragctx.grounding import declined, sentences
from ragctx.models import Models
from ragctx.prompts.replies import nothing
from ragctx.prompts.tasks import Task
from ragctx.prompts.texts import texts
from ragctx.strategies.chunk_sizes import chunk_tokens
from ragctx.strategies.limits import output_tokens
from ragctx.strategies.purse import Purse
from ragctx.types import Line, Passage, Question, Range
from ragctx.work import Completion, Failure, Generate, Message, Sampling, Work

if TYPE_CHECKING:
    from ragctx.agents.writing import AgentWrite

_FILE = Path(__file__).with_name("texts") / "writing.toml"
_TEXTS = {
    "plan": ("QUESTION", "STEPS", "EACH", "WORDS", "REFUSAL", "extra"),
    "part": ("QUESTION", "OUTLINE", "last", "NUMBER", "POINT", "WORDS", "extra"),
    "last": ("TEXT",),
}
# Words of a part that a plan is asked for; a text that nobody gave a length has `_WORDS`.
_EACH, _WORDS = 150, 400
# Tokens a word takes, and by how much a part may run over before it is cut.
_TOKENS, _SLACK = 1.55, 1.5
# Words of the part before that the next one is shown.
_LAST = 120
# Tokens of a plan's line, and of its line in the outline once it is written; only plans rest on the second.
_LINE, _OUTLINED = 48, 32
# As in `retrieve`: passages take a twelfth of the window, within these.
_ROOM, _SHARE, _FEWEST = 2000, 12, 256
_FULL = 0.8
Make = Callable[[Sequence[Passage]], tuple[Message, ...]]


@dataclass(slots=True)
class Draft:
    """One text in the making.

    Attributes:
        passages: all that were read, in the order of their numbers. written: a text for each part so far, empty where
            nothing came.
    """

    strategy: AgentWrite
    question: Question
    view: Corpus
    models: Models
    purse: Purse
    passages: list[Passage] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failure: Failure | None = None

    @property
    def words(self) -> int:
        """Of the whole text."""
        return self.strategy.words or wanted(f"{self.question.text} {self.question.instructions}") or _WORDS

    @property
    def lines(self) -> int:
        """Of the plan, as it is asked for."""
        return min(self.strategy.steps, max(1, math.ceil(self.words / _EACH)))

    @property
    def most(self) -> int:
        """More lines than this are no plan: each is a call, and the estimate reckons with no more of them."""
        return min(self.strategy.steps, 2 * self.lines + 1)

    @property
    def task(self) -> Task:
        """How prompts are written."""
        return Task(texts(_FILE, _TEXTS), self.view.manifest)

    def report(self) -> str:
        """How long the text was to be, and how long it is."""
        parts = [text for text in self.written if text]
        length = sum(count(sentences(text)[0]) for text in parts)
        score = length_score(self.words, length)
        many = "part" if len(parts) == 1 else "parts"
        return (
            f"asked for {self.words:,} words, wrote {length:,} in {len(parts)} {many}: length score {score:.0f} of 100"
        )

    def must_have_room(self) -> None:
        """Refuse what cannot hold a plan and a part, before any call.

        Raises:
            LimitError: with the numbers. ConfigError: an `answer_type` was asked for.
        """
        if self.question.answer_type is not None:
            raise ConfigError(
                "agent-write writes text, not data: drop answer_type, or use map-extract, retrieve or full"
            )
        bill = [(self._bare(self._plan_prompt), self._plan_output()), (self._bare(self._first), self._output(_EACH))]
        for prompt, output in bill:
            self.models.reader.must_fit(prompt, output)
        self.purse.check_all(bill)

    def plan(self, found: Sequence[Passage]) -> Work[tuple[Step, ...]]:
        """The steps; none where the model says that the documents hold nothing for it.

        A model too small to plan still writes: where neither the plan nor its repair is one, the whole is one step.
        """
        messages = self._filled(found, self._plan_prompt, self._plan_output())
        request = Generate(messages, purpose="plan", sampling=Sampling(max_tokens=self._plan_output()))
        reply = yield from self._paid(request)
        steps, problem = planned(reply.text, self.most, self.words)
        if not problem or self._declines(reply.text):
            return steps
        again = self.task.repair(messages, reply.text, problem)
        self.purse.check(self.models.reader.counter.render(again), self._plan_output())
        reply = yield from self._paid(replace(request, messages=again, purpose="plan again"))
        steps, problem = planned(reply.text, self.most, self.words)
        if problem and not self._declines(reply.text):
            self.notes.append(f"neither plan was one ({problem}): the text is written in one part")
            return (Step(self.question.text, min(self.words, LONGEST)),)
        return steps

    def part(self, steps: Sequence[Step], found: Sequence[Passage]) -> Work[None]:
        """Write the next part; one that fails is left out and told.

        Raises:
            LimitError: window or budget do not hold it.
        """
        number, step = len(self.written) + 1, steps[len(self.written)]
        output = self._output(step.words)
        prompt = partial(self._part_prompt, steps=steps)
        messages = self._filled(found, prompt, output)
        self.purse.check(self.models.reader.counter.render(messages), output)
        sampling = Sampling(max_tokens=output, stop=(f"\nPart {number + 1}",))
        [reply] = yield [Generate(messages, purpose="part", sampling=sampling, tolerant=True)]
        text = ""
        if isinstance(reply, Failure):
            self.failure = reply
            self.notes.append(f"part {number} failed and is left out: {reply.message}")
        elif isinstance(reply, Completion):
            text = _whole(reply, number)
            if not sentences(text)[0].strip() or self._declines(text):
                text = ""
                self.notes.append(f"nothing was written for part {number}: {step.point}")
        self.purse.paid(reply)  # type: ignore[arg-type]
        self.written.append(text)

    def line(self) -> Line:
        """What plan and parts are expected to take."""
        counter = self.models.reader.counter
        bare, part = self._bare(self._plan_prompt), self._bare(self._first)
        there = chunk_tokens(self.view, counter) * len(self.view.chunks) if len(self.view.chunks) else 0
        held, lines = min(there, _FULL * self._room()), self.lines
        outlined = lines * _OUTLINED + _TOKENS * min(_LAST, self.words / lines)
        likely = bare + held + lines * (part + held + outlined)
        wrote = lines * _LINE / 2 + self.words * _TOKENS * 0.8
        ceiling = 2 * self._plan_output() + 2 * lines * self._output(max(_EACH, self.words // lines))
        return Line(
            "reader", Range(0.5 * likely, likely, 2 * likely), Range(1, min(wrote, ceiling), ceiling),
            Range(1, 1 + lines, 2 + self.most),
        )  # fmt: skip

    def _paid(self, request: Generate) -> Work[Completion]:
        [reply] = yield [request]
        if not isinstance(reply, Completion):
            raise RequestFailed("malformed", "a plan got no completion: use another model")
        self.purse.paid(reply)
        return reply

    def _declines(self, text: str) -> bool:
        return nothing(text) or declined(text, self.strategy.templates)

    def _plan_prompt(self, passages: Sequence[Passage]) -> tuple[Message, ...]:
        asked = {"question": self.question.text, "extra": self._extra(), "refusal": self.strategy.templates.refusal}
        return self.task.messages(
            "plan", passages, first=len(self.passages) + 1,
            steps=self.lines, each=max(1, self.words // self.lines), words=self.words, **asked,
        )  # fmt: skip

    def _part_prompt(self, passages: Sequence[Passage], steps: Sequence[Step]) -> tuple[Message, ...]:
        number, step = len(self.written) + 1, steps[len(self.written)]
        before = next((text for text in reversed(self.written) if text), "")
        last = self.task.texts.fill("last", text=ending(before, _LAST)) if before else ""
        return self.task.messages(
            "part", passages, first=len(self.passages) + 1, question=self.question.text, extra=self._extra(),
            outline=outline(steps, self.written), last=last, number=number, point=step.point, words=step.words,
        )  # fmt: skip

    def _first(self, passages: Sequence[Passage]) -> tuple[Message, ...]:
        return self._part_prompt(passages, [Step("", _EACH)])

    def _bare(self, prompt: Make) -> int:
        """Tokens of a prompt with nothing but a heading between its fences, and a little."""
        return self.models.reader.counter.render(prompt([Passage("", (), "x")])) + 16

    def _extra(self) -> str:
        own = self.question.instructions.strip()
        return f"\n{own}" if own else ""

    def _room(self) -> int:
        window = self.models.reader.window
        usual = _ROOM if window is None else max(_FEWEST, min(_ROOM, window // _SHARE))
        return self.strategy.tokens or usual

    def _output(self, words: int) -> int:
        window = self.models.reader.window
        most = self.strategy.max_output if window is None else min(self.strategy.max_output, max(16, window // 4))
        return output_tokens(self.models.reader, min(most, 16 + int(words * _TOKENS * _SLACK)))

    def _plan_output(self) -> int:
        window = self.models.reader.window
        most = 2 * self.lines * _LINE
        return output_tokens(self.models.reader, most if window is None else min(most, max(16, window // 4)))

    def _filled(self, found: Sequence[Passage], prompt: Make, output: int) -> tuple[Message, ...]:
        """The prompt with as many of the passages, best first, as its room holds; they are numbered for good.

        Raises:
            LimitError: not even a piece of the best one fits.
        """
        counter, room, left = self.models.reader.counter, self._room(), self.purse.left()
        ceilings = [most for most in (self.models.reader.window, left) if most is not None]
        taken: list[Passage] = []
        for passage in found:
            cost = counter.count(self.task.block(99, passage)) + 1
            if cost <= room:
                taken.append(passage)
                room -= cost
        if not taken and found:
            taken = [self._shortened(found[0], room)]
        ordered = _in_order(taken)
        while taken and ceilings and counter.render(prompt(ordered)) + output > min(ceilings):
            taken = taken[:-1] or [p for p in [self._shortened(taken[0], len(taken[0].text) // 8)] if p != taken[0]]
            ordered = _in_order(taken)
        messages = prompt(ordered)
        self.purse.check(counter.render(messages), output)
        self.passages += ordered
        return messages

    def _shortened(self, passage: Passage, room: int) -> Passage:
        """The beginning of a passage that is too long, of at most so many tokens; cut at a sentence where one ends."""
        counter, end = self.models.reader.counter, len(passage.text)
        while end > 1 and counter.count(self.task.block(99, passage.narrowed([(0, end)]))) > room:
            end = end * 3 // 4
        ends = [stop for _, stop in bounds(passage.text[:end]) if stop > end // 2 and ended(passage.text[:stop])]
        return passage.narrowed([(0, ends[-1] if ends else end)])


def _in_order(passages: Sequence[Passage]) -> list[Passage]:
    """As they stand in the documents: neighbours are read together."""
    return sorted(passages, key=lambda passage: passage.spans[:1])


def _whole(reply: Completion, number: int) -> str:
    """What a part says, without its heading; one that was cut ends with its last whole sentence."""
    text = reply.text.strip().removeprefix(f"Part {number}:").strip()
    if reply.finish != "length":
        return text
    ends = [end for _, end in bounds(text) if ended(text[:end])]
    return text[: ends[-1]] if ends else text
