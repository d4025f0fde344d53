"""One question's calls of iterative retrieval: what each may take, and what the last one needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ragctx.agents.examples import Example
from ragctx.agents.rounds import Step, finding, findings_last, next_question, said, strayed, trace, traces
from ragctx.corpus import Corpus
from ragctx.errors import BudgetSpent
from ragctx.models import Models
from ragctx.prompts.tasks import Task
from ragctx.strategies.answering import Reading
from ragctx.strategies.filling import Filler
from ragctx.strategies.limits import Ceiling, output_tokens
from ragctx.strategies.purse import Purse
from ragctx.types import Context, Question
from ragctx.work import Generate, Message, Sampling, Work, ask

PLANNER, WORKER = "planner", "worker"
# Most tokens of a sub-question and of a round's answer.
STEP, ROUND = 48, 64
# A small model goes on to answer its own question.
_STOP = ("\nFound:", "\nAnswer:")


@dataclass(slots=True)
class Desk:
    """Asks for one question, and keeps what the last call takes aside.

    Attributes:
        reading: the answering call. question: what is asked. view: what it may read.
        models: facts about the models. room: most tokens of passages in a call.
        shown: demonstrations whose steps the planner sees.
        aside: tokens the last call takes with the question's own passages.
        told: what a person should know of the sub-questions.
    """

    reading: Reading
    question: Question
    view: Corpus
    models: Models
    room: int
    shown: tuple[Example, ...] = ()
    aside: int = 0
    told: list[str] = field(default_factory=list)
    known: str = ""
    purse: Purse = field(init=False)

    def __post_init__(self) -> None:
        self.purse = Purse.of(self.question, self.models.reader)

    def open(self, purse: Purse) -> None:
        """Refuse a question whose last call does not fit even without passages.

        Raises:
            LimitError: with the numbers.
        """
        self.purse = purse
        bare = self.last(())
        prompt = bare.tokens(())
        bare.ceiling.check(prompt)
        purse.check(prompt, self.reading.output)

    def begin(self, main: Context) -> None:
        """Set aside what the last call takes with the question's own passages.

        Raises:
            LimitError: not one sentence of them fits.
        """
        filler = self.last(())
        self.known = "\n".join([self.question.text, *(passage.text for passage in main.passages)])
        self.aside = filler.tokens(filler.fill(main).passages) + self.reading.output

    def last(self, steps: Sequence[Step]) -> Filler:
        """What fills the last prompt."""
        reader = self.models.reader
        prompt = self.reading.prompt(self.question, self.view)
        ceiling = Ceiling.of(reader, self.reading.output, self.question, self.purse.spent)
        bare = reader.counter.render(prompt.messages((), self.question))
        ceiling.check(bare)
        ceiling = ceiling.lowered(bare + self.room, f"{self.reading.strategy}(tokens={self.room})", bare)
        return Filler(prompt, self.question, reader.counter, ceiling, self.view, findings_last)

    def next_question(self, steps: Sequence[Step]) -> Work[str]:
        """What to look up next; empty where nothing is.

        Raises:
            LimitError: the call would take what the last one needs.
        """
        facts, messages = self.models.of(PLANNER), self.plan(steps)
        most = output_tokens(facts, STEP)
        self._must_allow(facts.counter.render(messages), most, PLANNER)
        sampling = Sampling(max_tokens=most, stop=_STOP)
        completion = yield from ask(Generate(messages, PLANNER, "sub-question", sampling))
        self.purse.paid(completion)
        asked = next_question(completion.text, [self.question.text, *(step.question for step in steps)])
        read = [passage.text for step in steps for passage in step.passages]
        known = "\n".join([self.known, *(f"{step.question} {step.answer}" for step in steps), *read])
        if why := strayed(asked, traces(self.shown, said()), known):
            self.told.append(f"not looked up: {asked} ({why})")
            return ""
        return asked

    def look_up(self, wanted: str, found: Context, steps: Sequence[Step]) -> Work[Step]:
        """The answer to a sub-question from what was found for it.

        Raises:
            LimitError: not one sentence fits beside what the last call needs.
        """
        filler = self._round(wanted)
        read = filler.fill(found).passages
        messages = filler.prompt.messages(read, filler.question)
        prompt = filler.counter.render(messages)
        self._must_allow(prompt, filler.ceiling.output, WORKER)
        sampling = Sampling(max_tokens=filler.ceiling.output, stop=("\nQuestion:",))
        completion = yield from ask(Generate(messages, WORKER, "intermediate answer", sampling))
        self.purse.paid(completion)
        return Step(wanted, finding(completion.text, self.reading.templates), read)

    def plan(self, steps: Sequence[Step]) -> tuple[Message, ...]:
        """The prompt that asks what to look up next."""
        words = said()
        known = trace([(step.question, step.answer) for step in steps], words)
        task = Task(words, self.view.manifest)
        return task.messages("step", examples=traces(self.shown, words), question=self.question.text, steps=known)

    def _round(self, wanted: str) -> Filler:
        facts = self.models.of(WORKER)
        asked = Question(wanted, id=self.question.id)
        prompt = Reading(self.reading.strategy, self.reading.templates, ROUND).prompt(asked, self.view)
        most = output_tokens(facts, ROUND)
        ceiling = Ceiling.of(facts, most, self.question, self.purse.spent + self.aside)
        bare = facts.counter.render(prompt.messages((), asked))
        ceiling.check(bare)
        ceiling = ceiling.lowered(bare + self.room, f"{self.reading.strategy}(tokens={self.room})", bare)
        return Filler(prompt, asked, facts.counter, ceiling, self.view, findings_last)

    def _must_allow(self, prompt: int, output: int, role: str) -> None:
        facts = self.models.of(role)
        facts.must_fit(prompt, output)
        if not self.purse.allows(prompt, output, aside=self.aside, facts=facts):
            left = self.purse.left()
            if left is None or prompt + output + self.aside <= left:
                raise BudgetSpent("calls", 2, self.purse.calls_left() or 0)
            raise BudgetSpent("tokens", prompt + output, max(0, left - self.aside))
