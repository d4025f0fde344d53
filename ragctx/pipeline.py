"""The door: documents, models, strategies and a policy, put together to plan, ask, stream and batch.

A pipeline holds no logic of its own. It opens what was named, has every question planned, gives the work to the engine,
and hands on what comes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from ragctx import assembly
from ragctx.engine import Delta, Outcome, Progress
from ragctx.planning import Asked, Planner, asked
from ragctx.routing import Policy
from ragctx.types import Answer, Budget, Decision, Prices, Question

if TYPE_CHECKING:
    from ragctx.batch import JobStore, RowResult
    from ragctx.contracts import Strategy


@dataclass(frozen=True, slots=True)
class Planned:
    """First event of a stream: what was decided, before anything is spent."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class Done:
    """Last event of a stream: the answer with its whole account."""

    answer: Answer


Event = Planned | Progress | Delta | Done


class Pipeline(Planner):
    """Answers questions over documents, each by the cheapest way of reading that will still answer it well.

    `plan` says what every question will cost and why, before anything is spent; `ask`, `aask` and `stream` answer one
    question; `batch` answers many in a job file that survives being killed. Async methods work inside a running event
    loop as they are. A pipeline is a context manager; `close` releases its models.

    Attributes:
        corpus: the documents. models: facts about the models behind each role.
        strategies: name -> strategy that a question can be read by. considered: names of those the router chooses from.
        policy: the routing table. lam: weight of cost (lambda).
        notes: fall-backs that every plan and answer of this pipeline repeats.

    Example:
        >>> from ragctx.corpus import Corpus
        >>> from ragctx.readers.scripted import Scripted
        >>> corpus = Corpus.of("The notice period is three months.")
        >>> with Pipeline(corpus, {"reader": Scripted(default="Three months. [1]")}) as pipeline:
        ...     pipeline.ask("What is the notice period?").text
        'Three months.'
    """

    @classmethod
    def over(
        cls,
        *sources: object,
        reader: object = assembly.AUTO,
        encoder: object = assembly.AUTO,
        encoder_options: Mapping[str, object] | None = None,
        ranker: object = assembly.RANKER,
        scorer: object = assembly.AUTO,
        roles: Mapping[str, object] | None = None,
        strategies: Mapping[str, Strategy] | Iterable[str] | None = None,
        strategy_options: Mapping[str, Mapping[str, object]] | None = None,
        policy: str | Path | Policy | None = None,
        lam: float | None = None,
        prices: Prices | None = None,
        cache: bool = True,
        attempts: int = 4,
        folder: Path | None = None,
        progress: Callable[..., None] | None = None,
        settings: Mapping[str, object] | None = None,
        notes: Iterable[str] = (),
    ) -> Self:
        """A pipeline over files, folders, `Document`s, LangChain documents or a `Corpus`.

        Args:
            sources: what `Corpus.over` takes, or one `Corpus`.
            reader: `local:NAME`, `openai:MODEL@BASE_URL`, `scripted:FILE`, a LangChain chat model, or a backend; by
                default `local:smollm2-135m` where it is installed. `extractive`, the packaged reading model, writes
                nothing: answers are copied from the documents. It is the default where the other is not installed.
            encoder: model for dense retrieval; by default the installed one, None for BM25 alone.
            encoder_options: of an encoder opened by name, e.g. `{"length": 1024, "temperature": 0.9}` to read texts to
                their end and sharpen attention on them. Each setting has an index of its own.
            ranker: model that sorts and prunes passages and points out answers: `extractive`, `provence:NAME` or a
                backend; None for none.
            scorer: model by which compressors weigh words, `local:NAME` or a backend that tells its tokens; by default
                the reader where it does, else the bundled one in half precision where it is installed; None for none.
            roles: further role -> model, e.g. `{"worker": "openai:small@http://localhost:8000/v1"}`.
            strategies: those the router may choose. By default all installed ones can be named for a question, and the
                router chooses from those that the policy does not want named (its `by_name`).
            strategy_options: options of strategies made by name, e.g. `{"retrieve": {"tokens": 800}}`.
            policy: a policy file in place of the shipped one.
            lam: lambda, the weight of normalised cost.
            prices: of the reader; no price is known that is not given.
            cache: keep greedy replies on disk and reuse them for identical requests.
            attempts: tries for a call that may succeed next time (a server error, a rate limit, a timeout).
            folder: where text store and indexes live, in place of the cache folder.
            progress: called with the corpus's progress while it is indexed.
            settings: plain JSON that a batch job keeps, so that whoever resumes it can build this pipeline again.
            notes: fall-backs of whoever opened the models, repeated beside this pipeline's own.

        Raises:
            ConfigError: an unknown name, or an extra is missing. InputError: documents cannot be read.
        """
        # Names first: a wrong one is told at once, not after minutes of indexing.
        chosen = policy if isinstance(policy, Policy) else Policy.load(Path(policy) if policy else None)
        named = strategies if strategies is None or isinstance(strategies, str | Mapping) else list(strategies)
        ways = assembly.strategies(named, strategy_options)
        backends, told = assembly.backends(reader, encoder, ranker, scorer, roles or {}, prices, encoder_options)
        corpus = assembly.corpus(sources, folder=folder, progress=progress)
        return cls(
            corpus,
            backends,
            strategies=ways,
            considered=assembly.considered(ways, chosen) if strategies is None else None,
            policy=chosen,
            lam=lam,
            store=assembly.reply_store() if cache else None,
            attempts=attempts,
            notes=(*notes, *told, *assembly.meanings(named)),
            settings=settings,
        )

    def ask(self, question: Asked, *, budget: int | Budget | None = None, strategy: str | None = None) -> Answer:
        """The answer to one question, read by the strategy that the router takes (or the one named).

        Raises:
            LimitError: it does not fit or its budget is spent. ModelError: the model failed for good.
        """
        [one] = asked(question, budget)
        decision = self._decide(one, strategy)
        self._make_ready(one, decision)
        return self.account(one, decision, self.engine.run(self.job(one, decision)))

    async def aask(self, question: Asked, *, budget: int | Budget | None = None, strategy: str | None = None) -> Answer:
        """`ask` for async callers; planning and reading happen off the caller's event loop."""
        [one] = asked(question, budget)
        decision = await asyncio.to_thread(self._decide, one, strategy)
        await asyncio.to_thread(self._make_ready, one, decision)
        return self.account(one, decision, await self.engine.arun(self.job(one, decision)))

    def stream(
        self, question: Asked, *, budget: int | Budget | None = None, strategy: str | None = None
    ) -> Iterator[Event]:
        """Planned, then Progress and Delta events as they come, then Done with the answer."""
        [one] = asked(question, budget)
        decision = self._decide(one, strategy)
        yield Planned(decision)
        self._make_ready(one, decision)
        for event in self.engine.stream(self.job(one, decision)):
            yield Done(self.account(one, decision, event)) if isinstance(event, Outcome) else event

    async def astream(
        self, question: Asked, *, budget: int | Budget | None = None, strategy: str | None = None
    ) -> AsyncIterator[Event]:
        """`stream` for async callers."""
        [one] = asked(question, budget)
        decision = await asyncio.to_thread(self._decide, one, strategy)
        yield Planned(decision)
        await asyncio.to_thread(self._make_ready, one, decision)
        async for event in self.engine.astream(self.job(one, decision)):
            yield Done(self.account(one, decision, event)) if isinstance(event, Outcome) else event

    def batch(
        self,
        questions: Iterable[Asked],
        *,
        job: str | Path,
        budget: int | Budget | None = None,
        strategy: str | None = None,
        total: int | Budget | None = None,
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
            total: what the whole job may be expected to spend, tokens or `Budget(money=...)`: the router takes cheaper
                ways where they lose least, until the plan is within it.
            max_cost: money the whole job may spend; rows beyond it stay pending.
            on_event: called with the engine's progress events, first those of an encoder that indexes, and with the
                job's own: a `Tick` when it begins and after every row, `Stopped` when rows are left.

        Raises:
            ConfigError: the file belongs to other questions, documents or settings. StoreError: it cannot be used.
            LimitError: the cheapest strategies cost more than `total`.
        """
        from ragctx.batch import open_job, run_job

        every = tuple(asked(questions, budget))
        with open_job(
            Path(job),
            questions=every,
            configuration=self.configuration(strategy, total),
            manifest=self.corpus.manifest,
            plan=lambda: self.plan(every, strategy=strategy, total=total),
        ) as store:
            again = total is None  # a second look could pass what the whole job may spend
            left = self._ways_pending(store) if again else store.ways_pending()
            whole = any(row.question.where is None for row in store.every_pending())
            self.prepare(on_event, only=left, writing=whole)
            make = partial(self.job, again=again)
            repeated = self.notes  # the plan's on the documents are no answer's, here as in `ask`
            yield from run_job(store, self.engine, make, max_cost=max_cost, on_event=on_event, notes=repeated)

    def _make_ready(self, question: Question, decision: Decision) -> None:
        """Prepare what one question will read; of a part of the corpus that is made as it is read."""
        self.prepare(only=self.ways(decision), writing=question.where is None)

    def _ways_pending(self, store: JobStore) -> list[str]:
        """The strategies that a job's rows may be read by."""
        if not self.policy.looks_twice:
            return store.ways_pending()
        return sorted({name for row in store.every_pending() for name in self.ways(row.decision)})
