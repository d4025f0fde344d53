"""Drives one work from its first step to its outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ragctx.engine.exchanges import Exchanges
from ragctx.engine.guard import Guard
from ragctx.engine.job import Delta, Emit, Job, Outcome, Progress
from ragctx.engine.ledger import Ledger
from ragctx.engine.prepare import Preparer
from ragctx.engine.slots import Account, Yielded
from ragctx.engine.steps import Asked, Ended, Step, Stepper, Unservable, on_thread
from ragctx.errors import RequestFailed
from ragctx.work import check

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Floor:
    """What the drivers of an engine share."""

    exchanges: Exchanges
    preparer: Preparer
    threads: ThreadPoolExecutor


class News:
    """What a listener hears of one work: how far it is, and its final text.

    It knows nothing of the driver: a work that is over is freed at once then, not at the next collection of cycles.

    Args:
        key: of the job. ledger: of the work. emit: takes the events on the loop thread; None where nobody listens.
    """

    def __init__(self, key: str, ledger: Ledger, emit: Emit | None) -> None:
        self._key, self._ledger, self._emit = key, ledger, emit
        self._done = self._asked = 0

    def asking(self, count: int) -> None:
        """So many requests are about to be asked."""
        self._asked += count
        self._tell()

    def replied(self) -> None:
        """One more request has its reply."""
        self._done += 1
        self._tell()

    def hear(self, text: str, restart: bool) -> None:
        """New text of the final completion."""
        if self._emit is not None:
            self._emit(Delta(self._key, text, restart))

    def _tell(self) -> None:
        if self._emit is not None:
            self._emit(Progress(self._key, self._done, self._asked, self._ledger.tokens))


class Driver(Generic[T]):
    """One work's loop: step, check the budget, ask, wait for its own replies only, step again.

    Args:
        job: the work. floor: what it shares with other drivers.
        emit: takes its progress on the loop thread; None where nobody listens.
        stream: whether the final completion's text is wanted too.
    """

    def __init__(self, job: Job[T], floor: Floor, emit: Emit | None = None, *, stream: bool = False) -> None:
        self.job, self._floor = job, floor
        self._exchange = floor.exchanges.of(job.store)
        self._stepper = Stepper(job, floor.preparer)
        ledger = Ledger()
        self._news = News(job.key, ledger, emit)
        self._account = Account(Guard(job.budget), ledger, self._news.replied, self._news.hear if stream else None)

    def outcome(self, value: T | None = None, error: Exception | None = None) -> Outcome[T]:
        """An outcome with the ledger so far."""
        ledger = self._account.ledger
        return Outcome(self.job.key, value, error, ledger.usage(), ledger.requests())

    async def run(self) -> Outcome[T]:
        """The work's outcome; cancelling closes the generator, and `outcome` has what was spent."""
        try:
            return await self._drive()
        except asyncio.CancelledError:
            await on_thread(self._floor.threads, self._stepper.close)
            raise

    async def _drive(self) -> Outcome[T]:
        self._start_clock()
        step: Step = await self._step(self._stepper.start)
        while not isinstance(step, Ended):
            step = await self._step(await self._answer(step))
        return self.outcome(step.value, step.error)

    def _start_clock(self) -> None:
        seconds = self.job.budget.seconds if self.job.budget is not None else None
        if seconds is not None:
            self._account.guard.deadline = asyncio.get_running_loop().time() + seconds

    async def _step(self, advance: Callable[[], Step]) -> Step:
        return await on_thread(self._floor.threads, advance)

    async def _answer(self, step: Asked | Unservable) -> Callable[[], Step]:
        """What to do next with the work: send it its replies, or throw what went wrong."""
        if isinstance(step, Unservable):
            return self._thrower(step.error)
        try:
            replies = await self._replies(step)
            check(step.requests, replies)
        except Exception as error:  # noqa: BLE001 - BudgetSpent, RequestFailed, StoreError: the work's to see
            return self._thrower(error)
        return lambda: self._stepper.send(replies)

    async def _replies(self, step: Asked) -> list[Any]:
        guard = self._account.guard
        guard.admit(step.prepared, asyncio.get_running_loop().time())
        self._news.asking(len(step.prepared))
        return await Yielded(step.prepared, self._account, self._exchange).replies(guard.deadline)

    def _thrower(self, error: Exception) -> Callable[[], Step]:
        return lambda: self._stepper.throw(error)


def cancelled(driver: Driver[T]) -> Outcome[T]:
    """The outcome of a work that was cancelled."""
    return driver.outcome(error=RequestFailed("cancelled", f"{driver.job.key!r} was cancelled: ask it again"))
