"""Everything of an engine that lives on its loop thread."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

from ragctx.contracts import Backend, BatchBackend, RemoteBackend
from ragctx.engine.activity import Activity
from ragctx.engine.driver import Floor
from ragctx.engine.exchanges import Exchanges
from ragctx.engine.flow import Flow, Item, Yard
from ragctx.engine.gather import BatchLane
from ragctx.engine.job import Outcome
from ragctx.engine.lanes import Lane
from ragctx.engine.prepare import Preparer
from ragctx.engine.remote import RemoteLane
from ragctx.engine.retries import Backoff
from ragctx.engine.store import ReplyStore
from ragctx.errors import ConfigError

MOST_THREADS = 4
"""Worker threads: few, since Python steps one work at a time and many would hold up the caller's event loop."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What an engine was made with; see `Engine`."""

    backends: Mapping[str, Backend]
    store: ReplyStore | None
    attempts: int
    in_flight: int
    backoff: Backoff
    remember: Collection[str]


class Plant:
    """Lanes, exchanges and worker threads of one engine, and the flows that use them.

    Made, used and closed on the loop thread.
    """

    def __init__(self, settings: Settings, parted: Callable[[Outcome[Any]], None]) -> None:
        activity = Activity()
        self._exchanges = Exchanges(settings.store, activity, settings.attempts, settings.backoff)
        self._lanes = _lanes(settings.backends, activity)
        self._threads = ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1), thread_name_prefix="ragctx-work")
        floor = Floor(self._exchanges, Preparer(self._lanes, settings.remember), self._threads)
        self.yard = Yard(floor, settings.in_flight, parted)
        self._flows: set[Flow] = set()

    async def take(self, flow: Flow) -> list[Item]:
        """A flow's next events and outcomes, none at the end; the first call starts it."""
        self._flows.add(flow)
        return await flow.take()

    async def shut(self, flow: Flow, left: Iterable[Item]) -> None:
        """Cancel what a flow still has in flight; `left` was taken and will not be looked at."""
        self._flows.discard(flow)
        await flow.close(left)

    async def close(self) -> None:
        """Cancel everything, then close every backend once.

        Raises:
            ExceptionGroup: what backends raised when they were closed, after all of them were.
        """
        await asyncio.gather(*(flow.close() for flow in list(self._flows)))
        closing = [lane.close() for lane in set(self._lanes.values())]
        ends = await asyncio.gather(*closing, return_exceptions=True)
        self._exchanges.close()
        self._threads.shutdown(wait=False)
        errors = [error for error in ends if isinstance(error, Exception)]
        if errors:
            raise ExceptionGroup("backends failed to close", errors)


def _lanes(backends: Mapping[str, Backend], activity: Activity) -> dict[str, Lane]:
    """Role -> lane; a backend that plays several roles has one lane."""
    lanes = {id(backend): _lane(backend, activity) for backend in backends.values()}
    return {role: lanes[id(backend)] for role, backend in backends.items()}


def _lane(backend: Backend, activity: Activity) -> Lane:
    # By the method and not by isinstance(): that would read every property, and reading facts may load a model.
    if callable(getattr(backend, "serve", None)):
        return BatchLane(cast("BatchBackend", backend), activity)
    return RemoteLane(cast("RemoteBackend", backend), activity)


def refuse_others(backends: Mapping[str, Backend]) -> None:
    """Refuse what is no backend.

    Raises:
        ConfigError: it has neither style's method.
    """
    for role, backend in backends.items():
        if not any(callable(getattr(backend, method, None)) for method in ("serve", "call")):
            raise ConfigError(
                f"{type(backend).__name__} cannot play {role!r}: a backend has serve(requests, emit) or "
                "call(request, emit); open a model by name, e.g. open_model('local:smollm2-135m')"
            )
