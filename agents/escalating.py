"""Try a cheap way of reading, check its answer, look wider once, and only then read more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, runtime_checkable

from ragctx.agents.answer_checks import CHECKS, Bars, after_refusal, empty_handed
from ragctx.agents.attempts import Attempt, Step, Watch, attempted, most_read, named
from ragctx.agents.stairs import stairs
from ragctx.contracts import Strategy
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError, LimitError, RagctxError, RequestFailed, UnknownName
from ragctx.models import Models
from ragctx.prompts import Templates, shipped
from ragctx.routing.signals import signals
from ragctx.strategies.limits import readable
from ragctx.strategies.standalone import Asked, alone
from ragctx.types import Answer, Estimate, Question
from ragctx.work import Work

# A reply of no use calls for the next step; an endpoint that refuses the key does not.
_USELESS = frozenset({"empty", "malformed"})
# From this probability on that the documents do not say, a refusal is believed.
_BELIEVED = 0.5
# LaRA (arXiv 2502.09977): a reader of retrieved chunks refuses .72 to .77 of what the texts do not say, .03 to .07 of
# what they do, up to .15 where the answer lies apart: about twelve times as many.
_REFUSALS = 12.0
# Assumed, never measured: how many first answers fail a check, and how many wider ones do then.
_FIRST, _SECOND = 0.3, 0.5
# A step that is expected to take less than this many times the one before reads nothing new.
_MORE = 1.1


@runtime_checkable
class Widenable(Protocol):
    """A strategy that reads as many tokens of passages as it is told."""

    tokens: int | None

    def room(self, models: Models) -> int:
        """Tokens of passages that are read at most."""
        ...


@dataclass(frozen=True, slots=True)
class Escalate:
    """Try a cheap way of reading, check its answer, look wider once, and only then read more.

    The answer of the cheap strategy is taken if it passes the checks, which cost nothing. If not, the same strategy
    reads more passages, once; if that answer fails too, the dear strategy reads. Where wider and dear together would be
    over `most`, the dear step alone is taken if it fits, else the wider one alone. A refusal is another matter: readers
    who find nothing in what was retrieved are mostly right where the documents do not say, and invent something once
    they are given everything (LaRA's figures, arXiv 2502.09977). So a refusal ends it where the documents are likely
    not to say, judged by the router's signals or by a ranker to which nothing looks like an answer.

    Every attempt is billed to the question. A step that would not read more than the last one is left out; so is the
    dear one where the whole bill would come to more than `most` times the cheap one, where it does not fit the window,
    or where the budget has no room for it: the plan and the answer say so. Texts stream from the dear step alone, as
    others may yet be thrown away. The answer's notes say which step answered, and why the ones before did not.

    Attributes:
        cheap, dear: registered names or strategies. widen: how many times more the cheap one reads the second time,
            where it is one that can (`retrieve`); 1 for no second time.
        most: times the cheap step's expected tokens that the steps together may take; None for whatever it takes.
        checks: those that count, of "refusal", "verbatim", "certainty", "retrieval", "pruned".
        bars: what an answer must reach.
        templates: of the prompt that rewrites a follow-up.

    Raises:
        ConfigError: no such check, or a figure makes no sense.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.work import Completion, run
        >>> corpus = Corpus.of("The notice period is three months.")
        >>> work = Escalate().read(Question("What is the notice period?"), corpus, Models({"reader": ModelFacts("m")}))
        >>> run(work, lambda requests: [Completion("Three months. [1]")]).notes[0]
        'retrieve answered, and passed the checks (refusal, verbatim, certainty, retrieval, pruned)'
    """

    name: ClassVar[str] = "escalate"

    cheap: str | Strategy = "retrieve"
    dear: str | Strategy = "full"
    widen: float = 2.0
    most: float | None = 4.0
    checks: tuple[str, ...] = tuple(CHECKS)
    bars: Bars = field(default_factory=Bars)
    templates: Templates = field(default_factory=shipped)

    def __post_init__(self) -> None:
        for check in self.checks:
            if check not in CHECKS:
                raise UnknownName("check", check, CHECKS)
        if self.widen < 1 or (self.most is not None and self.most < 1):
            raise ConfigError(f"escalate: widen={self.widen} and most={self.most} are factors: give 1 at least")

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the indexes that the steps need."""
        for strategy in (named(self.cheap), named(self.dear)):
            if (work := getattr(strategy, "prepare", None)) is not None:
                yield from work(corpus, models)

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        """What `read` will spend: at least the cheap step, at most all of them.

        What is expected is what most questions take, the cheap step; a note tells the mean.

        Raises:
            LimitError: the cheap strategy cannot read this.
        """
        first = named(self.cheap).estimate(question, corpus, models)
        later, left_out = self._later(replace(question, history=()), corpus, models)
        estimates = [step.strategy.estimate(replace(question, history=()), corpus, models) for step in later]
        return stairs(first, estimates, (_FIRST, _SECOND), question.budget, left_out)

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        """Try, check, widen, read more.

        Raises:
            LimitError: not even the cheap strategy keeps within window and budget. RequestFailed: a model failed before
                there was any answer.
        """
        asked = yield from self._standing(question, models)
        watch = Watch(models, asked.spent, min(1, len(asked.notes)))
        steps = [Step(named(self.cheap).name, named(self.cheap))]
        left_out: tuple[str, ...] = ()
        tried: list[Attempt] = []
        told: list[str] = []
        error: RagctxError | None = None
        number = 0
        while number < len(steps):
            step, last = steps[number], 0 < number == len(steps) - 1
            try:
                work = attempted(step, asked.question, corpus, models, watch, last=last)
                tried.append((yield from work))
            except (LimitError, RequestFailed) as failed:
                if not number and not _useless(failed):
                    raise
                error = failed
                told.append(f"{step.label} could not answer: {failed}")
            else:
                wrong = self._wrong(tried[-1])
                if not wrong:
                    return _account(tried, (*told, f"{step.label} {self._passed}"), asked)
                told.append(f"{step.label} did not pass: {wrong}")
            if not number:
                later, left_out = self._later(asked.question, corpus, models)
                steps += later
            number += 1
            if tried and number < len(steps) and (why := self._believed(tried, steps[number:], corpus, models)):
                return _account(tried, (*told, why), asked)
        if not tried:
            assert error is not None
            raise error
        return _account(tried, (*told, *left_out, f"no step is left: {tried[-1].step}'s answer stands"), asked)

    def _standing(self, question: Question, models: Models) -> Work[Asked]:
        """A follow-up is rewritten once for all steps, where a model can."""
        if not models.can("reader", "Generate"):
            return Asked(question)
        return (yield from alone(question, models, self.templates))

    def _later(self, question: Question, corpus: Corpus, models: Models) -> tuple[list[Step], tuple[str, ...]]:
        """The steps after the first, and what was left out, in words."""
        free = replace(question, budget=None)  # a step that the budget has no room for refuses by itself
        cheap, dear = named(self.cheap), named(self.dear)
        wide = self._wide(cheap, models)
        try:
            first = cheap.estimate(free, corpus, models).tokens.expected
        except LimitError:  # it was tried, and had no room for a single sentence
            first = 0.0
        wider = wide.strategy.estimate(free, corpus, models).tokens.expected if wide else 0.0
        whole = 0.0
        refused: tuple[str, ...] = ()
        try:
            whole = dear.estimate(free, corpus, models).tokens.expected
        except LimitError as error:
            refused = (f"{dear.name} is left out: {error}",)
        widens, reads = affordable(first, wider, whole, self.most)
        steps = [*([wide] if wide and widens else []), *([Step(dear.name, dear, dear.name)] if reads else [])]
        if reads or whole <= first * _MORE:
            return steps, refused
        over = f"its {whole:,.0f} tokens would bring the bill over {self.most:g} times the {first:,.0f} of {cheap.name}"
        return steps, (f"{dear.name} is left out: {over}; the option most of escalate allows more",)

    def _wide(self, cheap: Strategy, models: Models) -> Step | None:
        """The cheap strategy with more room; None where it has none to be widened."""
        if self.widen <= 1 or not isinstance(cheap, Widenable):
            return None
        tokens = round(self.widen * cheap.room(models))
        made: Any = cheap
        return Step(f"{cheap.name}(tokens={tokens})", replace(made, tokens=tokens), "wider")

    @property
    def _passed(self) -> str:
        return f"answered, and passed the checks ({', '.join(self.checks)})"

    def _wrong(self, attempt: Attempt) -> str:
        """What the checks have against an answer."""
        return "; ".join(said for check in self.checks if (said := CHECKS[check](attempt, self.bars)))

    def _believed(self, tried: Sequence[Attempt], ahead: Sequence[Step], corpus: Corpus, models: Models) -> str:
        """Why a refusal ends it; empty where it does not, or where there was none."""
        last = tried[-1]
        if last.answer.answerable:
            return ""
        if empty_handed(last, self.bars):
            return "the refusal is believed: nothing that was found looks like an answer"
        found = signals(last.question, readable(last.question, corpus), models)
        silent = found.get("kind_unanswerable", 0.0)
        # Looking wider costs little and invents little; reading much more is what must be worth it.
        likely = silent if len(ahead) > 1 else after_refusal(silent, _REFUSALS)
        told = f"the documents are {likely:.2f} likely not to say"
        return f"the refusal is believed: {told}" if likely >= _BELIEVED else ""


def affordable(first: float, wider: float, whole: float, most: float | None) -> tuple[bool, bool]:
    """Whether to look wider, and whether to read more after that; a step that reads nothing new is not worth it.

    Args:
        first: tokens that the first step is expected to take.
        wider: the second; 0 where there is none.
        whole: the third; likewise.
        most: times `first` that all may take together.

    Example:
        >>> affordable(1000, 2000, 30_000, None), affordable(1000, 2000, 30_000, 4.0), affordable(1000, 2000, 2500, 4.0)
        ((True, True), (True, False), (False, True))
    """
    room = math.inf if most is None or not first else (most - 1) * first
    widens = first * _MORE < wider <= room
    reads = first * _MORE < whole <= room
    if widens and reads and (wider + whole > room or whole <= wider * _MORE):
        return False, True
    return widens, reads


def _useless(error: RagctxError) -> bool:
    """Whether the next step may do better: a reply of no use, or an option that leaves no room for a sentence."""
    return type(error) is LimitError or (isinstance(error, RequestFailed) and error.kind in _USELESS)


def _account(tried: Sequence[Attempt], told: Sequence[str], asked: Asked) -> Answer:
    """The last attempt's answer, with what every attempt read and the story of the steps."""
    answer = tried[-1].answer
    return replace(
        answer,
        strategy=Escalate.name,
        question=asked.question.id,
        coverage=most_read([attempt.answer.coverage for attempt in tried]),
        notes=(*told, *asked.notes, *answer.notes),
    )
