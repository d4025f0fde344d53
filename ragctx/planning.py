"""Before and after the engine: plans, indexes, each question's work, and the account that is put on its answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import TYPE_CHECKING, Self

from ragctx import assembly, registry
from ragctx.corpus import Corpus
from ragctx.described import described
from ragctx.engine import Engine, Job, Outcome, accounted, overrun
from ragctx.errors import LimitError, UnknownName
from ragctx.questions import Questions
from ragctx.routing import Plan, PlanRow, Policy, decide, second
from ragctx.routing.spending import within
from ragctx.strategies.finding import without_writing
from ragctx.types import Answer, Budget, Decision, Question
from ragctx.work import Work

if TYPE_CHECKING:
    from ragctx.contracts import Backend, Strategy
    from ragctx.engine import ReplyStore
    from ragctx.models import Models

Asked = str | Question


class Planner:
    """Documents, models, strategies and a policy: what a question will cost, and the work that would answer it.

    It asks no model a question; `prepare` alone may run an encoder. A planner is a context manager; `close` releases
    its models.

    Attributes:
        corpus: the documents. backends, models: the models behind each role, and facts about them.
        strategies: name -> strategy that a question can be read by. policy: the routing table.
        considered: names of those that the router chooses from: all that were given; of the installed ones, where none
            were, all but those that the policy wants named. lam: weight of cost (lambda).
        notes: fall-backs that every plan and answer repeats. settings: plain JSON that a batch job keeps.
    """

    def __init__(
        self,
        corpus: Corpus,
        backends: Mapping[str, Backend],
        *,
        strategies: Mapping[str, Strategy] | None = None,
        policy: Policy | None = None,
        lam: float | None = None,
        store: ReplyStore | None = None,
        attempts: int = 4,
        notes: Iterable[str] = (),
        settings: Mapping[str, object] | None = None,
        considered: Iterable[str] | None = None,
    ) -> None:
        self.corpus = corpus
        self.backends = dict(backends)
        self.strategies = dict(strategies) if strategies is not None else assembly.strategies()
        self.policy = policy or Policy.load()
        if considered is None:
            considered = (
                self.strategies if strategies is not None else assembly.considered(self.strategies, self.policy)
            )
        self.considered = frozenset(considered)
        self.lam = self.policy.lam if lam is None else lam
        self.notes = tuple(notes)
        self.settings = dict(settings or {})
        self.engine = Engine(self.backends, store=store, attempts=attempts)
        # Strategy -> the corpus that its index is of, whether a model might write for it, and whether all is there.
        self._prepared: dict[str, tuple[str, bool, bool]] = {}
        self._preparing = threading.Lock()

    @property
    def models(self) -> Models:
        """Facts about the models, by role."""
        return self.engine.models

    def close(self) -> None:
        """Stop the engine and release the models."""
        self.engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def prepare(
        self,
        on_event: Callable[[object], None] | None = None,
        *,
        only: Iterable[str] | None = None,
        writing: bool = True,
    ) -> tuple[str, ...]:
        """Build or refresh every index the strategies need; returns at once when they are current.

        Args:
            on_event: called with the engine's progress while an encoder is at work.
            only: the strategies that will read; those that the router considers when None. What no question needs may
                wait: embedding a corpus takes minutes.
            writing: whether a model that writes may be asked, for summaries of the whole corpus, say. Where every
                question reads a part of its own, what it needs of them is made, and billed, as it is read.

        Returns:
            Names of the strategies that have to wait for such a model.
        """
        names = sorted(self.considered) if only is None else only
        wanted = {name: strategy for name in names if (strategy := self.strategies.get(name)) is not None}
        with self._preparing:
            return tuple(
                name for name, way in wanted.items() if not self._prepare(name, way, on_event, writing=writing)
            )

    def _prepare(
        self, name: str, strategy: Strategy, on_event: Callable[[object], None] | None, *, writing: bool
    ) -> bool:
        """Whether all that a strategy needs is there now."""
        work: Callable[..., Work[object]] | None = getattr(strategy, "prepare", None)
        manifest, written, done = self._prepared.get(name, ("", False, True))
        if work is None or (manifest == self.corpus.manifest and (done or written or not writing)):
            return done
        done = True
        start = partial(work, self.corpus, self.models)
        job = Job(f"index for {strategy.name}", start if writing else lambda: without_writing(start()))
        for outcome in self.engine.map([job], on_event=on_event):
            done = outcome.result() is not False
        self._prepared[name] = (self.corpus.manifest, writing, done)
        return done

    def plan(
        self,
        questions: Asked | Iterable[Asked],
        *,
        budget: int | Budget | None = None,
        strategy: str | None = None,
        lam: float | None = None,
        total: int | Budget | None = None,
    ) -> Plan:
        """What every question would cost by every strategy, and which one is taken; no model is called.

        Args:
            questions: a question, or any number of them.
            budget: ceiling for each question; a number is tokens.
            strategy: use this one for all, instead of letting the router choose.
            lam: lambda for this plan.
            total: what all questions together may be expected to spend, tokens or money; it is spent where it brings
                most. With a strategy named there is nothing to choose, and the plan has to be within it as it is.

        Returns:
            One row a question. A question that no strategy can read within its limits has a row without a strategy,
            whose `why` says what each would need.

        Raises:
            UnknownName: no such strategy. LimitError: `total` is less than the cheapest strategies cost.
        """
        every = tuple(asked(questions, budget))
        made = [self._decide(one, strategy, lam, strict=False) for one in every]
        if total is not None:
            made = within(made, total, floor=self.policy.floor)
        elif self.policy.looks_twice:
            made = [second.announced(one, self.policy.second_look, self.models) for one in made]
        rows = map(PlanRow, every, made)
        return Plan(tuple(rows), notes=(*self.notes, *map(str, self.corpus.problems), *self.corpus.notes))

    def job(self, question: Question, decision: Decision, *, again: bool = True) -> Job[Answer]:
        """One question's work, ready for the engine.

        Args:
            question: what is asked.
            decision: how it is read.
            again: whether a second look may change the decision, where the policy wants one.

        Raises:
            LimitError: no strategy can read it; says what each would need. UnknownName: the one decided on is not here.
        """
        if not decision.strategy:
            raise LimitError(decision.why)
        if decision.strategy not in self.strategies:
            raise UnknownName("strategy", decision.strategy, self.strategies)
        start = partial(self.strategies[decision.strategy].read, question, self.corpus, self.models)
        if again and self._looks_again(decision):
            start = partial(self._after_look, question, decision)
        return Job(key=question.id, start=start, budget=question.budget)

    def ways(self, decision: Decision) -> tuple[str, ...]:
        """The strategies that may read a question: the one decided on, or those that a second look tells apart."""
        if not self._looks_again(decision):
            return (decision.strategy,)
        return tuple(one.strategy for one in second.near(decision, self.policy.second_look))

    def _looks_again(self, decision: Decision) -> bool:
        policy = self.policy
        return policy.looks_twice and second.unsure(decision, policy.second_look) and second.possible(self.models)

    def _after_look(self, question: Question, decision: Decision) -> Work[Answer]:
        """Look again, decide with what was seen, read."""
        found, note = yield from second.look(question, self.corpus, self.models)
        taken = decision
        if found:
            again = self._decide(question, lam=decision.lam, strict=False, known=found)
            taken = second.settled(decision, again, found, self.policy.second_look)
        answer = yield from self.strategies[taken.strategy].read(question, self.corpus, self.models)
        return replace(answer, decision=taken, notes=(*answer.notes, *filter(None, [note])))

    def account(self, question: Question, decision: Decision, outcome: Outcome[Answer]) -> Answer:
        """The outcome's answer with its usage, decision and this pipeline's notes; an error is raised.

        A budget that was exceeded all the same, as its counts were estimates, is a note.
        """
        answer = accounted(outcome, question, decision, self.notes)
        exceeded = overrun(question.budget, outcome.usage, self.models)
        return replace(answer, notes=(*answer.notes, *exceeded))

    def configuration(self, strategy: str | None = None, total: int | Budget | None = None) -> dict[str, object]:
        """Everything a job's answers depend on besides questions and documents, as plain JSON; no secrets.

        A strategy is its class and its fields where it is a dataclass; any other is known by class and name alone, and
        a job cannot tell that it was made otherwise.
        """
        return {
            "models": {role: assembly.frozen(backend) for role, backend in self.backends.items()},
            "strategies": {name: described(value) for name, value in sorted(self.strategies.items())},
            "policy": self.policy.label,
            "lambda": self.lam,
            "strategy": strategy,
            "settings": self.settings,
            **({"total": asdict(ceiling)} if (ceiling := Budget.of(total)) else {}),
        }

    def _decide(
        self,
        question: Question,
        strategy: str | None = None,
        lam: float | None = None,
        *,
        strict: bool = True,
        known: Mapping[str, float] | None = None,
    ) -> Decision:
        weight = self.lam if lam is None else lam
        name, meaning = strategy, ""
        if strategy and strategy not in self.strategies:
            name, meaning = registry.meant("strategies", strategy)
        ways = self.strategies if name else {n: s for n, s in self.strategies.items() if n in self.considered}
        made = decide(
            question, self.corpus, self.models, ways, self.policy, weight, only=name, strict=strict, known=known
        )
        return replace(made, why=f"{made.why}; {meaning}") if meaning else made


def asked(questions: Asked | Iterable[Asked], budget: int | Budget | None) -> Iterator[Question]:
    """Every question as a `Question`, with the budget where it carries none of its own."""
    ceiling = Budget.of(budget)
    every = [Questions.one(questions)] if isinstance(questions, str | Question) else Questions.of(questions)
    for question in every:
        yield question if question.budget or ceiling is None else replace(question, budget=ceiling)
