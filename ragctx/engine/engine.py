"""The engine: drives works against backends, thousands at once, for sync and async callers alike."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Iterable, Mapping
from contextlib import aclosing, closing
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

from ragctx.contracts import Backend
from ragctx.engine.flow import Wanted
from ragctx.engine.job import Event, Job, Outcome
from ragctx.engine.plant import Settings, refuse_others
from ragctx.engine.retries import Backoff
from ragctx.engine.site import Site
from ragctx.engine.store import ReplyStore
from ragctx.errors import ConfigError, RequestFailed
from ragctx.models import Models
from ragctx.types import Budget
from ragctx.work import Work

T = TypeVar("T")
Listener = Callable[[Event], None]
REMEMBERED = frozenset({"Generate", "Score", "Rerank"})
KEPT_ABANDONED = 1000
WATCHED = Wanted(progress=True, text=True)


class Engine:
    """Drives works: batches their requests across questions, and owns retries, replies, budgets, ledgers, cancellation.

    One background thread with its own event loop, started by the first job, dispatches requests. Works are stepped on
    a few worker threads and go on as soon as their own replies are back. A backend that takes lists gets one thread
    of its own; an endpoint gets at most its `concurrency` of calls. `run`, `map`, `stream` and their async twins
    (`arun`, `amap`, `astream`) are the same code seen from either side, and either works inside a running event loop.

    A request whose role nobody was named for goes to the `reader`, except the roles "encoder", "ranker" and "scorer".
    Before each dispatch the budget is checked on the rendered requests: `BudgetSpent` or `DoesNotFit` is raised in the
    work, at its `yield`, and the work may go on without. Only Generate and Score take from a budget's tokens and calls.

    Args:
        backends: role -> backend; one object may play several roles. They are this engine's alone: it calls a backend
            that takes lists from one thread, and `close` closes them.
        store: keeps replies (see `ReplyStore`) of jobs without a store of their own; None keeps nothing. It belongs to
            the caller.
        attempts: the most attempts at one request. in_flight: the most jobs of one `map` under way.
        backoff: the waits between attempts. remember: names of the request classes whose replies are stored; vectors
            are left out because they are large and cheap to make again.

    Example:
        >>> from ragctx.readers.scripted import Rule, Scripted
        >>> from ragctx.work import Generate, Message, ask
        >>> def greet() -> Work[str]:
        ...     completion = yield from ask(Generate((Message("user", "Hello"),)))
        ...     return completion.text.upper()
        >>> with Engine({"reader": Scripted([Rule("Hello", "hi there")])}) as engine:
        ...     outcome = engine.run(greet())
        >>> outcome.result(), outcome.usage.tokens
        ('HI THERE', 5)
    """

    def __init__(
        self,
        backends: Mapping[str, Backend],
        *,
        store: ReplyStore | None = None,
        attempts: int = 4,
        in_flight: int = 64,
        backoff: Backoff = Backoff(),  # noqa: B008 - frozen
        remember: Collection[str] = REMEMBERED,
    ) -> None:
        if attempts < 1 or in_flight < 1:
            raise ConfigError(f"attempts={attempts} and in_flight={in_flight} must be at least 1")
        refuse_others(backends)
        self._backends = dict(backends)
        self._abandoned: deque[Outcome[Any]] = deque(maxlen=KEPT_ABANDONED)
        settings = Settings(self._backends, store, attempts, in_flight, backoff, remember)
        self._site = Site(settings, self._abandoned.append)
        weakref.finalize(self, self._site.drop)

    @property
    def models(self) -> Models:
        """The facts of every role's model, and nothing that can be called."""
        return Models({role: backend.facts for role, backend in self._backends.items()})

    @property
    def abandoned(self) -> tuple[Outcome[Any], ...]:
        """Outcomes that nobody took: of works that were cancelled, or ended as their iterator was closed.

        They hold what had been spent by then; the latest thousand are kept.
        """
        return tuple(self._abandoned)

    # One job.

    def run(self, work: Work[T] | Job[T], budget: int | Budget | None = None) -> Outcome[T]:
        """The outcome of one work; a work's error stands in it and is not raised.

        Args:
            work: a work, or a job.
            budget: of the work, instead of a job's own; a number is tokens.
        """
        with closing(self._site.items([job_of(work, budget)], Wanted())) as items:
            return _outcome(next(items, None))

    async def arun(self, work: Work[T] | Job[T], budget: int | Budget | None = None) -> Outcome[T]:
        """`run`, awaited; cancelling it cancels the work."""
        async with aclosing(self._site.aitems([job_of(work, budget)], Wanted())) as items:
            return _outcome(await anext(items, None))

    # Many jobs.

    def map(self, jobs: Iterable[Job[T]], *, on_event: Listener | None = None) -> Generator[Outcome[T], None, None]:
        """Outcomes as they finish; jobs are pulled lazily and memory does not grow with their number.

        Closing the iterator early (or Ctrl-C) cancels what is in flight; see `abandoned` for what that had spent.

        Args:
            jobs: may be endless; pulled on a thread.
            on_event: called with every `Progress`, on the caller's thread.
        """
        with closing(self._site.items(jobs, Wanted(progress=on_event is not None))) as items:
            for item in items:
                if isinstance(item, Outcome):
                    yield item
                elif on_event is not None:
                    on_event(item)

    async def amap(
        self, jobs: Iterable[Job[T]], *, on_event: Listener | None = None
    ) -> AsyncGenerator[Outcome[T], None]:
        """`map`, as an async iterator; `on_event` is called in the caller's loop."""
        async with aclosing(self._site.aitems(jobs, Wanted(progress=on_event is not None))) as items:
            async for item in items:
                if isinstance(item, Outcome):
                    yield item
                elif on_event is not None:
                    on_event(item)

    # One job, watched.

    def stream(
        self, work: Work[T] | Job[T], budget: int | Budget | None = None
    ) -> Generator[Event | Outcome[T], None, None]:
        """Progress and the final completion's text (`Delta`) as they come, then the outcome."""
        yield from self._site.items([job_of(work, budget)], WATCHED)  # holds the engine while it is read

    async def astream(
        self, work: Work[T] | Job[T], budget: int | Budget | None = None
    ) -> AsyncGenerator[Event | Outcome[T], None]:
        """`stream`, as an async iterator."""
        async with aclosing(self._site.aitems([job_of(work, budget)], WATCHED)) as items:
            async for item in items:
                yield item

    # The end.

    def close(self) -> None:
        """Cancel what is in flight, close the backends and end the threads; closing again does nothing."""
        self._site.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def job_of(work: Work[T] | Job[T], budget: int | Budget | None = None) -> Job[T]:
    """The job of a bare work; a job itself, with the budget if one is given."""
    if isinstance(work, Job):
        return work if budget is None else replace(work, budget=Budget.of(budget))
    return Job("work", lambda: work, Budget.of(budget))


def _outcome(item: Event | Outcome[T] | None) -> Outcome[T]:
    if not isinstance(item, Outcome):
        raise RequestFailed("cancelled", "the engine was closed while it drove this work: make a new one and ask again")
    return item
