"""The bridge between callers and the loop thread: started by the first job, reached from any thread or loop."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, TypeVar

from ragctx.engine.flow import Flow, Item, Wanted
from ragctx.engine.job import Event, Job, Outcome
from ragctx.engine.loop import LoopThread
from ragctx.engine.plant import Plant, Settings
from ragctx.errors import ConfigError

T = TypeVar("T")
Jobs = Iterable[Job[Any]]


class Site:
    """One loop thread with its plant, made when it is first needed.

    Args:
        settings: of the engine. parted: takes outcomes that nobody will take any more.
    """

    def __init__(self, settings: Settings, parted: Callable[[Outcome[Any]], None]) -> None:
        self._settings, self._parted = settings, parted
        self._lock = threading.Lock()
        self._open: tuple[LoopThread, Plant] | None = None
        self._closed = False

    def _reach(self) -> tuple[LoopThread, Plant]:
        with self._lock:
            if self._closed:
                raise ConfigError("this engine is closed: make a new one")
            return self._opened()

    def _opened(self) -> tuple[LoopThread, Plant]:
        if self._open is None:
            thread = LoopThread("ragctx-engine")
            self._open = thread, thread.submit(_build(self._settings, self._parted)).result()
        return self._open

    def items(self, jobs: Jobs, wanted: Wanted) -> Generator[Event | Outcome[Any], None, None]:
        """What happens, for a sync caller; closing the generator cancels what is in flight."""
        thread, plant = self._reach()
        flow, taken = Flow(jobs, wanted, plant.yard), deque[Item]()
        try:
            while fresh := thread.submit(plant.take(flow)).result():
                taken.extend(fresh)
                while taken:
                    yield taken.popleft()
        except CancelledError:  # the engine was closed from another thread, which has cancelled the flow
            return
        finally:
            with suppress(CancelledError, ConfigError):  # likewise, between this line and the next
                if not thread.stopped:
                    thread.submit(plant.shut(flow, taken)).result()

    async def aitems(self, jobs: Jobs, wanted: Wanted) -> AsyncGenerator[Event | Outcome[Any], None]:
        """What happens, for an async caller in whatever loop it runs."""
        thread, plant = self._reach()
        flow, taken = Flow(jobs, wanted, plant.yard), deque[Item]()
        try:
            while fresh := await _awaited(thread.submit(plant.take(flow))):
                taken.extend(fresh)
                while taken:
                    yield taken.popleft()
        finally:
            with suppress(ConfigError):  # the engine was closed from another thread
                if not thread.stopped:
                    await _awaited(thread.submit(plant.shut(flow, taken)))

    def close(self) -> None:
        """Cancel everything and end the thread; closing again does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            thread, plant = self._opened()  # backends that were never used are closed too, on the threads they expect
            self._open = None
        try:
            thread.submit(plant.close()).result()
        finally:
            thread.stop()

    def drop(self) -> None:
        """End the thread of an engine that nobody closed and nobody holds any more."""
        if self._open is not None:
            self._open[0].stop()


async def _awaited(future: Future[T]) -> T | None:
    """The result; None where the end of the engine's loop cancelled the future, and not the caller."""
    try:
        return await asyncio.wrap_future(future)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return None


async def _build(settings: Settings, parted: Callable[[Outcome[Any]], None]) -> Plant:
    return Plant(settings, parted)
