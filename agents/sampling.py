"""Best-of-N and self-consistency over any strategy (Wang et al., arXiv 2203.11171): several runs, one answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, cast

from ragctx.agents.agreement import parties
from ragctx.agents.choosing import aside, judged, judging
from ragctx.agents.varying import SAMPLES, WAYS, check, sampled, varied
from ragctx.contracts import Strategy
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError, RagctxError
from ragctx.models import Models
from ragctx.prompts import shipped
from ragctx.registry import find, make
from ragctx.strategies.limits import readable
from ragctx.strategies.purse import Purse
from ragctx.strategies.standalone import alone, line
from ragctx.strategies.together import together
from ragctx.types import Answer, Budget, Coverage, Estimate, Line, Question
from ragctx.work import Work


@dataclass(frozen=True, slots=True)
class BestOfN:
    """Read several times in different ways, and take the answer most runs agree on, or the one a judge prefers.

    The first run is the strategy as it is; the others draw samples, or read in another order, other passages, or after
    other demonstrations. All runs go on side by side, so that their calls go out together, and every one is billed. The
    share of runs that say the same as the answer is its `confidence`. Runs are made fewer where the budget does not
    hold them all, and a failed run is missed; the answer's notes say so. The text does not stream.

    Attributes:
        over: a registered strategy, or one. n: how many runs.
        rule: "vote", or "judge": where runs disagree, the model that plays "judge" (the reader, if nobody does) is
            shown the different answers with their source sentences.
        vary: one or several of "samples", "orders", "spans", "demonstrations"; all but the first need a strategy that
            has an order, a retriever, or demonstrations.
        temperature: of samples. seed: of the runs.

    Raises:
        ConfigError: an option makes no sense, or the strategy cannot be varied so.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.strategies import Retrieve
        >>> from ragctx.work import Completion, run
        >>> corpus = Corpus.of("The notice period is three months.", "The notice period was once six months.")
        >>> says = iter(["Three months.", "Six months.", "The notice period is three months [1]."])
        >>> work = BestOfN(Retrieve(retriever="bm25"), n=3).read(
        ...     Question("What is the notice period?"), corpus, Models({"reader": ModelFacts("m")}))
        >>> answer = run(work, lambda asked: [Completion(next(says)) for _ in asked])
        >>> answer.text, round(answer.confidence, 2)
        ('Three months.', 0.67)
    """

    name: ClassVar[str] = "best-of-n"

    over: str | Strategy = "retrieve"
    n: int = 5
    rule: Literal["vote", "judge"] = "vote"
    vary: str | tuple[str, ...] = (SAMPLES,)
    temperature: float = 0.7
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n < 1 or not 0 < self.temperature <= 2:
            raise ConfigError(
                f"best-of-n needs n of at least 1 and a temperature above 0, got {self.n} and {self.temperature}"
            )
        if self.rule not in ("vote", "judge"):
            raise ConfigError(f"no rule is called {self.rule!r}: there are vote and judge")
        if self.over == self.name or isinstance(self.over, BestOfN):
            raise ConfigError("best-of-n over itself only multiplies its runs: raise n")
        check(find("strategies", self.over) if isinstance(self.over, str) else self.over, self._ways)

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Whatever the strategy prepares."""
        work = getattr(self._inner(), "prepare", None)
        if work is not None:
            yield from work(corpus, models)

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        """What all runs will spend, and the judge if there is one.

        Raises:
            LimitError: as the strategy itself.
        """
        rewriting, purse = line(question, models, shipped()), Purse.of(question, models.reader)
        runs = self._affordable(question, corpus, models, purse)
        asked = self._share(question, purse, runs)
        if self._fields:
            each = [way.estimate(asked, corpus, models) for way in self._runs(runs)]
        else:
            each = [self._inner().estimate(asked, corpus, models)] * runs
        every = [one for estimate in each for one in _without(estimate.lines, rewriting)]
        judge = judging(question, runs, models) if self.rule == "judge" else ()
        exact = all(estimate.exact for estimate in each) and not judge
        notes = tuple(dict.fromkeys(note for estimate in each for note in estimate.notes))
        return Estimate((*rewriting, *_summed(every), *judge), exact=exact, notes=notes)

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        """Run, compare, choose.

        Raises:
            RagctxError: every run raised; the first one's.
        """
        view = readable(question, corpus)
        asked = yield from alone(question, models, shipped())
        purse = Purse.after(asked, models.reader)
        yield from self.prepare(corpus, models)
        runs = self._affordable(asked.question, corpus, models, purse)
        shared = self._share(asked.question, purse, runs)
        works = [
            sampled(way.read(shared, corpus, models), number, self._heat, self.seed, purse)
            for number, way in enumerate(self._runs(runs))
        ]
        outcomes = yield from together(works)
        answers = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
        errors = [outcome for outcome in outcomes if isinstance(outcome, RagctxError)]
        if not answers:
            raise errors[0]
        notes = [*asked.notes, *([f"{runs} of {self.n} runs: the budget holds no more"] if runs < self.n else [])]
        notes += [f"{len(errors)} of {runs} runs failed, first: {errors[0]}"] if errors else []
        found = parties(answers, asked.question.text)
        if self.rule == "judge" and len(found) > 1:
            picked, told = yield from judged(asked.question, [answers[one[0]] for one in found], view, models, purse)
            found, notes = [found[picked], *found], [*notes, told]
        return self._answer(answers, found[0], notes)

    def _answer(self, answers: Sequence[Answer], party: Sequence[int], notes: Sequence[str]) -> Answer:
        best = answers[party[0]]
        agree = f"{len(party)} of {len(answers)} runs say so"
        return replace(
            best,
            strategy=self.name,
            confidence=round(len(party) / len(answers), 4),
            coverage=_most_read([answer.coverage for answer in answers]),
            notes=(*notes, agree, *best.notes),
        )

    def _affordable(self, question: Question, corpus: Corpus, models: Models, purse: Purse) -> int:
        """How many runs the budget holds, each as it would be without one; one at least, which may read less."""
        left, calls = purse.left(), purse.calls_left()
        if left is None and calls is None:
            return self.n
        need = self._inner().estimate(replace(question, budget=None), corpus, models)
        runs = self.n
        if left is not None:
            runs = min(runs, int((left - self._aside(runs)) // max(1, need.prompt.expected + need.output.high)))
        if calls is not None:
            runs = min(runs, int((calls - (self.rule == "judge")) // max(1, need.calls.high)))
        return max(1, runs)

    def _share(self, question: Question, purse: Purse, runs: int) -> Question:
        """The question with the part of its budget that each run has."""
        budget, left, calls = question.budget, purse.left(), purse.calls_left()
        if budget is None or (runs == 1 and purse.made == 0):
            return question
        tokens = None if left is None else max(0, left - self._aside(runs)) // runs
        return replace(question, budget=Budget(tokens=tokens, calls=None if calls is None else calls // runs))

    def _aside(self, runs: int) -> int:
        """Tokens that are kept for the judge."""
        return aside(runs) if self.rule == "judge" and runs > 1 else 0

    def _runs(self, runs: int) -> list[Strategy]:
        return [varied(self._inner(), run, self.n, self._fields) for run in range(runs)]

    def _inner(self) -> Strategy:
        return cast("Strategy", make("strategies", self.over)) if isinstance(self.over, str) else self.over

    @property
    def _ways(self) -> tuple[str, ...]:
        return (self.vary,) if isinstance(self.vary, str) else tuple(self.vary)

    @property
    def _fields(self) -> tuple[str, ...]:
        return tuple(way for way in WAYS if way in self._ways and way != SAMPLES)

    @property
    def _heat(self) -> float:
        return self.temperature if SAMPLES in self._ways else 0.0


def _without(lines: Sequence[Line], rewriting: Sequence[Line]) -> list[Line]:
    """The lines of one run; the question is made standalone once for all of them."""
    left = list(lines)
    for one in rewriting:
        if one in left:
            left.remove(one)
    return left


def _summed(lines: Sequence[Line]) -> list[Line]:
    """One line a role."""
    by_role: dict[str, Line] = {}
    for one in lines:
        so_far = by_role.get(one.role)
        by_role[one.role] = one if so_far is None else Line(
            one.role, so_far.prompt + one.prompt, so_far.output + one.output, so_far.calls + one.calls
        )  # fmt: skip
    return list(by_role.values())


def _most_read(coverages: Sequence[Sequence[Coverage]]) -> tuple[Coverage, ...]:
    """For each document what the run read that read most of it: where runs read different parts, it was more."""
    most: dict[str, Coverage] = {}
    for one in (one for coverage in coverages for one in coverage):
        most[one.document] = max(most.get(one.document, one), one, key=lambda each: each.read)
    return tuple(most.values())
