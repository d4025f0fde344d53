"""Many jobs in, events and outcomes out: the one code below run, map and stream, sync and async."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ragctx.engine.driver import Driver, Floor, cancelled
from ragctx.engine.job import Event, Job, Outcome

log = logging.getLogger(__name__)
PATIENCE = 1.0
"""Seconds that closing waits for an iterable of jobs that is stuck in its `next`."""


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


class _End:
    """What comes after the last outcome."""


END = _End()
Item = Event | Outcome[Any] | _End


class Flow:
    """Drives jobs, at most `in_flight` at once, and queues what happens for one consumer.

    Jobs are pulled one by one on a thread of their own. A job holds its place until its outcome has been taken, so a
    slow consumer slows the pulling, and memory does not grow with the number of jobs. It may be made anywhere; its
    methods run on the engine's loop thread, and the first `next` starts it.

    Args:
        jobs: pulled as places become free.
        wanted: which events to queue.
        yard: where the works run.
    """

    def __init__(self, jobs: Iterable[Job[Any]], wanted: Wanted, yard: Yard) -> None:
        self._jobs, self._wanted = jobs, wanted
        self._floor, self._parted = yard.floor, yard.parted
        self._places = asyncio.Semaphore(yard.in_flight)
        self._queue: deque[Item] = deque()
        self._arrived = asyncio.Event()
        self._running: dict[asyncio.Task[None], None] = {}
        self._feeder: asyncio.Task[None] | None = None
        self._error: Exception | None = None

    async def next(self) -> Item:
        """The next event or outcome; `END` after the last.

        Raises:
            Exception: what the jobs' iterable raised, once every job that it had given is over.
        """
        if self._feeder is None and not self._queue:
            self._feeder = asyncio.create_task(self._feed())
        while not self._queue:
            self._arrived.clear()
            await self._arrived.wait()
        item = self._queue.popleft()
        if isinstance(item, Outcome):
            self._places.release()
        if item is END:
            self._queue.append(END)  # asked again, it is still the end
            if self._error is not None:
                raise self._error
        return item

    async def close(self) -> None:
        """Cancel what is in flight and wait until every generator is closed."""
        tasks = [task for task in (self._feeder, *self._running) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for item in self._queue:
            if isinstance(item, Outcome):
                self._parted(item)
        self._queue = deque([END])
        self._arrived.set()

    async def _feed(self) -> None:
        puller = ThreadPoolExecutor(1, thread_name_prefix="ragctx-jobs")
        source = _Source(self._jobs)
        try:
            await self._pull(source, puller)
        except Exception as error:  # noqa: BLE001 - the iterable is the caller's; its error is raised to the caller
            self._error = error
        finally:
            closing = asyncio.wrap_future(puller.submit(source.close))
            puller.shutdown(wait=False)
            await asyncio.wait([closing], timeout=PATIENCE)
        while self._running:
            await asyncio.wait(self._running)
        self._put(END)

    async def _pull(self, source: _Source, puller: ThreadPoolExecutor) -> None:
        activity = self._floor.exchange.tools.activity
        while True:
            await self._places.acquire()
            activity.add(1)  # a job is about to arrive
            try:
                job = await asyncio.get_running_loop().run_in_executor(puller, source.pull)
                if job is None:
                    return
                self._launch(job)
            finally:
                activity.add(-1)

    def _launch(self, job: Job[Any]) -> None:
        driver = Driver(job, self._floor, self._put if self._wanted.progress else None, stream=self._wanted.text)
        activity = self._floor.exchange.tools.activity
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


class _Source:
    """The jobs' iterator, touched by one thread only."""

    def __init__(self, jobs: Iterable[Job[Any]]) -> None:
        self._jobs = jobs
        self._iterator: Iterator[Job[Any]] | None = None

    def pull(self) -> Job[Any] | None:
        """The next job; None at the end."""
        if self._iterator is None:
            self._iterator = iter(self._jobs)
        return next(self._iterator, None)

    def close(self) -> None:
        """Let a generator of jobs run its `finally` clauses."""
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()
