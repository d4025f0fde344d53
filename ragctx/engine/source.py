"""The caller's iterable of jobs, pulled without holding up any loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from ragctx.engine.job import Job

PATIENCE = 1.0
"""Seconds that closing waits for an iterable that is stuck in its `next`."""
Launch = Callable[[Job[Any]], None]


class Source:
    """Pulls jobs on one thread, which alone touches the iterator; a list or tuple needs none.

    Args:
        jobs: the caller's iterable; may be endless, slow, or raise.
    """

    def __init__(self, jobs: Iterable[Job[Any]]) -> None:
        self._jobs = jobs
        self._iterator: Iterator[Job[Any]] | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def pull(self, most: int, launch: Launch) -> bool:
        """Launch the next jobs, each as soon as the iterable gives it; False at the end.

        Args:
            most: so many and no more.
            launch: called on the loop.

        Raises:
            Exception: what the iterable raised; the jobs that it had given before are launched.
        """
        if isinstance(self._jobs, list | tuple):
            return self._next(most, launch)
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="ragctx-jobs")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._thread, self._next, most, lambda job: loop.call_soon_threadsafe(launch, job)
        )

    def _next(self, most: int, launch: Callable[[Job[Any]], object]) -> bool:
        if self._iterator is None:
            self._iterator = iter(self._jobs)
        given = 0
        for job in islice(self._iterator, most):
            launch(job)
            given += 1
        return given == most

    async def close(self) -> None:
        """Let a generator of jobs run its `finally` clauses."""
        if self._thread is None:
            return
        closing = asyncio.wrap_future(self._thread.submit(self._close))
        self._thread.shutdown(wait=False)
        await asyncio.wait([closing], timeout=PATIENCE)

    def _close(self) -> None:
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()
