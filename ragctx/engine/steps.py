"""Steps works on worker threads: a step may look things up for a while, and must not hold up any loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ragctx.engine.job import Job
from ragctx.engine.prepare import Prepared, Preparer
from ragctx.errors import RagctxError
from ragctx.work import Reply, Request, Work

log = logging.getLogger(__name__)
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Asked:
    """The work yielded."""

    requests: Sequence[Request]
    prepared: list[Prepared]


@dataclass(frozen=True, slots=True)
class Unservable:
    """The work yielded requests that cannot be served as they are; the error is to be thrown into it."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """The work returned, or raised."""

    value: T | None = None
    error: Exception | None = None


Step = Asked | Unservable | Ended[Any]


async def on_thread(threads: ThreadPoolExecutor, call: Callable[[], R]) -> R:
    """The call's result; a cancelled caller still waits for the thread, so that nobody else touches its generator."""
    future = asyncio.get_running_loop().run_in_executor(threads, call)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError:  # cancelled once more: the thread still has the generator
                continue
        raise


class Stepper(Generic[T]):
    """One work's generator, started by its first step.

    Every method runs on a worker thread, never two at once.
    """

    def __init__(self, job: Job[T], preparer: Preparer) -> None:
        self._job, self._preparer = job, preparer
        self._work: Work[T] | None = None

    def start(self) -> Step:
        """Make the work and run it to its first yield."""

        def first() -> Sequence[Request]:
            self._work = self._job.start()
            return next(self._work)

        return self._step(first)

    def send(self, replies: Sequence[Reply]) -> Step:
        """Give the work its replies."""
        return self._step(lambda: self._started.send(replies))

    def throw(self, error: Exception) -> Step:
        """Raise an error at the yield."""
        return self._step(lambda: self._started.throw(error))

    def close(self) -> None:
        """Raise GeneratorExit at the yield, so that the work's `finally` clauses run."""
        if self._work is None:
            return
        try:
            self._work.close()
        except Exception:
            log.exception("the work %r raised while it was closed", self._job.key)

    @property
    def _started(self) -> Work[T]:
        assert self._work is not None
        return self._work

    def _step(self, advance: Callable[[], Sequence[Request]]) -> Step:
        try:
            requests = advance()
        except StopIteration as done:
            return Ended(value=done.value)
        except Exception as error:  # noqa: BLE001 - any error of a work is its outcome
            return Ended(error=error)
        except BaseException as error:  # noqa: BLE001 - sys.exit() in a work must not end the engine's threads
            return Ended(error=RagctxError(f"the work {self._job.key!r} raised {error!r}: let it raise an Exception"))
        try:
            return Asked(requests, self._preparer.prepare(requests, self._job.scope))
        except Exception as error:  # noqa: BLE001 - thrown into the work, which may know better
            return Unservable(error)
