"""The door: documents, models, strategies and a policy, put together to plan, ask, stream and batch.

A pipeline holds no logic of its own. It opens what was named, lets the router decide, gives the chosen strategy's work
to the engine, and puts the account (usage, decision, notes) on the answer.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ragctx import assembly
from ragctx.corpus import Corpus
from ragctx.described import described
from ragctx.engine import Delta, Engine, Job, Outcome, Progress, overrun
from ragctx.errors import LimitError, UnknownName
from ragctx.questions import Questions
from ragctx.routing import Plan, PlanRow, Policy, consider, decide
from ragctx.types import Answer, Budget, Decision, Prices, Question
from ragctx.work import Work

if TYPE_CHECKING:
    from ragctx.batch import RowResult
    from ragctx.contracts import Backend, Strategy
    from ragctx.engine import ReplyStore
    from ragctx.models import Models

DEFAULT_READER = "local:smollm2-135m"


@dataclass(frozen=True, slots=True)
class Planned:
    """First event of a stream: what was decided, before anything is spent."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class Done:
    """Last event of a stream: the answer with its whole account."""

    answer: Answer


Event = Planned | Progress | Delta | Done
Asked = str | Question


class Pipeline:
    """Answers questions over documents, each by the cheapest way of reading that will still answer it well.

    `plan` says what every question will cost and why, before anything is spent; `ask`, `aask` and `stream` answer one
    question; `batch` answers many in a job file that survives being killed. Async methods work inside a running event
    loop as they are. A pipeline is a context manager; `close` releases its models.

    Attributes:
        corpus: the documents. models: facts about the models behind each role.
        strategies: name -> strategy the router may choose. policy: the routing table. lam: weight of cost (lambda).
        notes: fall-backs that every plan and answer of this pipeline repeats.

    Example:
        >>> from ragctx.readers.scripted import Scripted
        >>> corpus = Corpus.of("The notice period is three months.")
        >>> with Pipeline(corpus, {"reader": Scripted(default="Three months. [1]")}) as pipeline:
        ...     pipeline.ask("What is the notice period?").text
        'Three months.'
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
    ) -> None:
        self.corpus = corpus
        self.backends = dict(backends)
        self.strategies = dict(strategies) if strategies is not None else assembly.strategies()
        self.policy = policy or Policy.load()
        self.lam = self.policy.lam if lam is None else lam
        self.notes = tuple(notes)
        self.settings = dict(settings or {})
        self.engine = Engine(self.backends, store=store, attempts=attempts)
        self._prepared = ""
        self._preparing = threading.Lock()

    @classmethod
    def over(
        cls,
        *sources: object,
        reader: object = DEFAULT_READER,
        encoder: object = assembly.AUTO,
        roles: Mapping[str, object] | None = None,
        strategies: Mapping[str, Strategy] | Iterable[str] | None = None,
        policy: str | Path | Policy | None = None,
        lam: float | None = None,
        prices: Prices | None = None,
        cache: bool = True,
        attempts: int = 4,
        folder: Path | None = None,
        progress: Callable[..., None] | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> Self:
        """A pipeline over files, folders, `Document`s, LangChain documents or a `Corpus`.

        Args:
            sources: what `Corpus.over` takes, or one `Corpus`.
            reader: `local:NAME`, `openai:MODEL@BASE_URL`, `scripted:FILE`, a LangChain chat model, or a backend.
            encoder: model for dense retrieval; by default the installed one, None for BM25 alone.
            roles: further role -> model, e.g. `{"worker": "openai:small@http://localhost:8000/v1"}`.
            strategies: those the router may choose; all installed ones by default.
            policy: a policy file in place of the shipped one.
            lam: lambda, the weight of normalised cost.
            prices: of the reader; no price is known that is not given.
            cache: keep greedy replies on disk and reuse them for identical requests.
            attempts: tries for a call that may succeed next time (a server error, a rate limit, a timeout).
            folder: where text store and indexes live, in place of the cache folder.
            progress: called with the corpus's progress while it is indexed.
            settings: plain JSON that a batch job keeps, so that whoever resumes it can build this pipeline again.

        Raises:
            ConfigError: an unknown name, or an extra is missing. InputError: documents cannot be read.
        """
        # Names first: a wrong one is told at once, not after minutes of indexing.
        chosen = policy if isinstance(policy, Policy) else Policy.load(Path(policy) if policy else None)
        ways = assembly.strategies(strategies)
        backends, notes = assembly.backends(reader, encoder, roles or {}, prices)
        corpus = assembly.corpus(sources, folder=folder, progress=progress)
        return cls(
            corpus,
            backends,
            strategies=ways,
            policy=chosen,
            lam=lam,
            store=assembly.reply_store() if cache else None,
            attempts=attempts,
            notes=notes,
            settings=settings,
        )

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

    def prepare(self, on_event: Callable[[object], None] | None = None) -> None:
        """Build or refresh every index the strategies need; returns at once when they are current.

        Args:
            on_event: called with the engine's progress while an encoder is at work.
        """
        with self._preparing:
            if self._prepared == self.corpus.manifest:
                return
            for strategy in self.strategies.values():
                work: Callable[..., Work[None]] | None = getattr(strategy, "prepare", None)
                if work is not None:
                    start = partial(work, self.corpus, self.models)
                    for outcome in self.engine.map([Job(f"index for {strategy.name}", start)], on_event=on_event):
                        outcome.result()
            self._prepared = self.corpus.manifest

    def plan(
        self,
        questions: Asked | Iterable[Asked],
        *,
        budget: int | Budget | None = None,
        strategy: str | None = None,
        lam: float | None = None,
    ) -> Plan:
        """What every question would cost by every strategy, and which one is taken; no model is called.

        Args:
            questions: a question, or any number of them.
            budget: ceiling for each question; a number is tokens.
            strategy: use this one for all, instead of letting the router choose.
            lam: lambda for this plan.

        Returns:
            One row a question. A question that no strategy can read within its limits has a row without a strategy,
            whose `why` says what each would need.

        Raises:
            UnknownName: no such strategy.
        """
        look = partial(self._decide, how=consider, strategy=strategy, lam=lam)
        rows = (PlanRow(question, look(question)) for question in _asked(questions, budget))
        return Plan(tuple(rows), notes=(*self.notes, *self._problems()))

    def ask(self, question: Asked, *, budget: int | Budget | None = None, strategy: str | None = None) -> Answer:
        """The answer to one question, read by the strategy that the router takes (or the one named).

        Raises:
            LimitError: it does not fit or its budget is spent. ModelError: the model failed for good.
        """
        [asked] = _asked(question, budget)
        decision = self._decide(asked, strategy)
        self.prepare()
        return self.account(asked, decision, self.engine.run(self.job(asked, decision)))

    async def aask(self, question: Asked, *, budget: int | Budget | None = None, strategy: str | None = None) -> Answer:
        """`ask` for async callers; planning and reading happen off the caller's event loop."""
        [asked] = _asked(question, budget)
        decision = await asyncio.to_thread(self._decide, asked, strategy)
        await asyncio.to_thread(self.prepare)
        return self.account(asked, decision, await self.engine.arun(self.job(asked, decision)))

    def stream(
        self, question: Asked, *, budget: int | Budget | None = None, strategy: str | None = None
    ) -> Iterator[Event]:
        """Planned, then Progress and Delta events as they come, then Done with the answer."""
        [asked] = _asked(question, budget)
        decision = self._decide(asked, strategy)
        yield Planned(decision)
        self.prepare()
        for event in self.engine.stream(self.job(asked, decision)):
            yield Done(self.account(asked, decision, event)) if isinstance(event, Outcome) else event

    async def astream(
        self, question: Asked, *, budget: int | Budget | None = None, strategy: str | None = None
    ) -> AsyncIterator[Event]:
        """`stream` for async callers."""
        [asked] = _asked(question, budget)
        decision = await asyncio.to_thread(self._decide, asked, strategy)
        yield Planned(decision)
        await asyncio.to_thread(self.prepare)
        async for event in self.engine.astream(self.job(asked, decision)):
            yield Done(self.account(asked, decision, event)) if isinstance(event, Outcome) else event

    def batch(
        self,
        questions: Iterable[Asked],
        *,
        job: str | Path,
        budget: int | Budget | None = None,
        strategy: str | None = None,
        max_cost: float | None = None,
        on_event: Callable[[object], None] | None = None,
    ) -> Iterator[RowResult]:
        """Answer many questions in a job file; kill it, call it again with the same arguments: it goes on.

        The plan is frozen in the file before the first call and never made again. Rows come as they finish; those of
        an earlier run are not repeated (export reads them all).

        Args:
            questions: asked in an order that lets neighbours share what they read.
            job: the SQLite file, created if it is not there.
            budget: ceiling for each question; a number is tokens.
            strategy: use this one for all, instead of letting the router choose.
            max_cost: money the whole job may spend; rows beyond it stay pending.
            on_event: called with the engine's progress events.

        Raises:
            ConfigError: the file belongs to other questions, documents or settings. StoreError: it cannot be used.
        """
        from ragctx.batch import open_job, run_job

        asked = tuple(_asked(questions, budget))
        self.prepare()
        with open_job(
            Path(job),
            questions=asked,
            configuration=self.configuration(strategy),
            manifest=self.corpus.manifest,
            plan=lambda: self.plan(asked, strategy=strategy),
        ) as store:
            yield from run_job(store, self.engine, self.row_job, max_cost=max_cost, on_event=on_event)

    def row_job(self, question: Question, decision: Decision) -> Job[Answer]:
        """The work of one planned row.

        Raises:
            LimitError: no strategy can read it; says what each would need.
        """
        if not decision.strategy:
            raise LimitError(decision.why)
        return self.job(question, decision)

    def job(self, question: Question, decision: Decision) -> Job[Answer]:
        """One question's work, ready for the engine."""
        strategy = self._strategy(decision.strategy)
        start = partial(strategy.read, question, self.corpus, self.models)
        return Job(key=question.id, start=start, budget=question.budget)

    def account(self, question: Question, decision: Decision, outcome: Outcome[Answer]) -> Answer:
        """The outcome's answer with its usage, decision and this pipeline's notes; an error is raised.

        A budget that was exceeded all the same, as its counts were estimates, is a note.
        """
        answer = outcome.result()
        exceeded = overrun(question.budget, outcome.usage, self.models)
        return replace(
            answer,
            question=question.id,
            strategy=decision.strategy,
            usage=outcome.usage,
            decision=decision,
            notes=tuple(dict.fromkeys((*self.notes, *answer.notes, *exceeded))),
        )

    def configuration(self, strategy: str | None = None) -> dict[str, object]:
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
        }

    def _decide(
        self,
        question: Question,
        strategy: str | None = None,
        lam: float | None = None,
        how: Callable[..., Decision] = decide,
    ) -> Decision:
        if strategy is not None:
            self._strategy(strategy)
        weight = self.lam if lam is None else lam
        return how(question, self.corpus, self.models, self.strategies, self.policy, weight, only=strategy)

    def _problems(self) -> tuple[str, ...]:
        """What a plan should say about the documents themselves."""
        return (*(str(problem) for problem in self.corpus.problems), *self.corpus.notes)

    def _strategy(self, name: str) -> Strategy:
        if name not in self.strategies:
            raise UnknownName("strategy", name, self.strategies)
        return self.strategies[name]


def _asked(questions: Asked | Iterable[Asked], budget: int | Budget | None) -> Iterator[Question]:
    """Every question as a `Question`, with the budget where it carries none of its own."""
    ceiling = Budget.of(budget)
    for question in Questions.of([questions] if isinstance(questions, str | Question) else questions):
        yield question if question.budget or ceiling is None else replace(question, budget=ceiling)
