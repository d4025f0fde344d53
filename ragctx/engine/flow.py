"""Many jobs in, events and outcomes out: the one code below run, map and stream, sync and async."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ragctx.engine.driver import Driver, Floor, cancelled
from ragctx.engine.job import Event, Job, Outcome
from ragctx.engine.source import Source

log = logging.getLogger(__name__)
Item = Event | Outcome[Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the consumer of a flow wants to hear besides outcomes."""

    progress: bool = False
    text: bool = False


@dataclass(frozen=True, slots=True)
class Yard:
    """What the flows of an engine share.

    Attributes:
        in_flight: the most jobs of one flow at once. parted: takes outcomes that nobody will take any more.
    """

    floor: Floor
    in_flight: int
    parted: Callable[[Outcome[Any]], None]


class Flow:
    """Drives jobs, at most `in_flight` at once, and queues what happens for one consumer.

    Jobs are pulled on a thread of their own as places become free. A job holds its place until its outcome has been
    taken, a few at a time, so a slow consumer slows the pulling, and memory does not grow with the number of jobs. It
    may be made anywhere; its methods run on the engine's loop thread, and the first `take` starts it.

    Args:
        jobs: pulled as places become free.
        wanted: which events to queue.
        yard: where the works run.
    """

    def __init__(self, jobs: Iterable[Job[Any]], wanted: Wanted, yard: Yard) -> None:
        self._wanted, self._floor, self._parted = wanted, yard.floor, yard.parted
        self._source = Source(jobs)
        self._free, self._freed = yard.in_flight, asyncio.Event()
        self._most = max(1, yard.in_flight // 8)
        self._queue: deque[Item] = deque()
        self._arrived = asyncio.Event()
        self._running: dict[asyncio.Task[None], None] = {}
        self._feeder: asyncio.Task[None] | None = None
        self._error: Exception | None = None
        self._over = False

    async def take(self) -> list[Item]:
        """The next events and outcomes, at least one; none after the last.

        Raises:
            Exception: what the jobs' iterable raised, once every job that it had given is over.
        """
        if self._feeder is None and not self._over:
            self._feeder = asyncio.create_task(self._feed())
        while not self._queue and not self._over:
            self._arrived.clear()
            await self._arrived.wait()
        if not self._queue and self._error is not None:
            raise self._error
        taken = [self._queue.popleft() for _ in range(min(len(self._queue), self._most))]
        self._free += sum(isinstance(item, Outcome) for item in taken)
        self._freed.set()
        return taken

    async def close(self, left: Iterable[Item] = ()) -> None:
        """Cancel what is in flight and wait until every generator is closed.

        Args:
            left: what was taken and will not be looked at.
        """
        self._end()
        tasks = [task for task in (self._feeder, *self._running) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for item in (*left, *self._queue):
            if isinstance(item, Outcome):
                self._parted(item)
        self._queue.clear()

    def _end(self) -> None:
        self._over = True
        self._arrived.set()

    async def _feed(self) -> None:
        try:
            await self._pull()
        except Exception as error:  # noqa: BLE001 - the iterable is the caller's; its error is raised to the caller
            self._error = error
        finally:
            await self._source.close()
        while self._running:
            await asyncio.wait(self._running)
        self._end()

    async def _pull(self) -> None:
        activity = self._floor.exchanges.activity
        while True:
            while not self._free:
                self._freed.clear()
                await self._freed.wait()
            activity.add(1)  # jobs are about to arrive
            try:
                more = await self._source.pull(self._free, self._launch)
            finally:
                activity.add(-1)
            if not more:
                return

    def _launch(self, job: Job[Any]) -> None:
        if self._over:  # given by a thread that was still pulling when the flow was closed; it was never started
            return
        self._free -= 1
        driver = Driver(job, self._floor, self._put if self._wanted.progress else None, stream=self._wanted.text)
        activity = self._floor.exchanges.activity
        activity.add(1)
        task = asyncio.create_task(self._see_through(driver))
        self._running[task] = None
        task.add_done_callback(lambda done: self._running.pop(done, None))
        task.add_done_callback(lambda done: activity.add(-1))

    async def _see_through(self, driver: Driver[Any]) -> None:
        try:
            self._put(await driver.run())
        except asyncio.CancelledError:
            self._parted(cancelled(driver))
            raise
        except Exception as error:
            log.exception("the engine failed while it drove %r", driver.job.key)
            self._put(driver.outcome(error=error))

    def _put(self, item: Item) -> None:
        self._queue.append(item)
        self._arrived.set()
