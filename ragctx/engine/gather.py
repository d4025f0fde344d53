"""The lane to a model in this process: requests of all works gather, sorted, and go as lists on its own thread."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ragctx.contracts import BatchBackend
from ragctx.engine.activity import Activity
from ragctx.engine.lanes import Errand, crashed, fitting
from ragctx.engine.order import block
from ragctx.models import ModelFacts
from ragctx.work import Failure, Reply

log = logging.getLogger(__name__)
LINGER = 0.004
"""Seconds a request waits at most for company while the backend is idle."""


@dataclass(slots=True, eq=False)
class _Waiting:
    errand: Errand
    reply: asyncio.Future[Reply]
    since: float
    served: bool = field(default=False)


class BatchLane:
    """Gathers requests for a `BatchBackend` and serves them on one dedicated thread.

    An idle backend is called when a full batch of the oldest request's class has gathered, when nothing is about to
    arrive (see `Activity`), or when it has been idle with a request waiting for `LINGER` seconds. So works whose
    replies have just come back catch the next batch, instead of taking turns with those who waited.
    """

    def __init__(self, backend: BatchBackend, activity: Activity) -> None:
        self._backend, self._activity = backend, activity
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ragctx-model")
        self._waiting: dict[_Waiting, None] = {}  # a dict keeps age order and lets any request leave
        self._busy = False
        self._free_since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        activity.listeners.append(self._consider)

    @property
    def facts(self) -> ModelFacts:
        """The backend's facts."""
        return self._backend.facts

    async def serve(self, errand: Errand) -> Reply:
        """Wait for the batch that holds this request; cancelling leaves the queue (a batch under way goes on)."""
        entry = _Waiting(errand, self._loop.create_future(), self._loop.time())
        self._waiting[entry] = None
        self._activity.add(-1)
        self._consider()
        try:
            return await entry.reply
        finally:
            self._waiting.pop(entry, None)
            if not entry.served:
                self._activity.add(1)

    def _consider(self) -> None:
        if self._busy or not self._waiting:
            return
        oldest = next(iter(self._waiting))
        overdue = max(oldest.since, self._free_since) + LINGER - self._loop.time()
        if overdue <= 0 or self._activity.quiet or self._full(type(oldest.errand.request)):
            self._start()
        elif self._timer is None:
            self._timer = self._loop.call_later(overdue, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._consider()

    def _full(self, kind: type) -> bool:
        size = self._backend.batch
        return len(self._waiting) >= size and sum(type(e.errand.request) is kind for e in self._waiting) >= size

    def _start(self) -> None:
        self._busy = True
        turn = self._loop.run_in_executor(self._thread, self._turn, list(self._waiting))
        turn.add_done_callback(self._deliver)

    def _deliver(self, turn: asyncio.Future[list[tuple[_Waiting, Reply]]]) -> None:
        self._busy, self._free_since = False, self._loop.time()
        served = turn.result()
        self._activity.out -= len(served)
        for entry, reply in served:
            if self._waiting.pop(entry, entry) is None and not entry.reply.done():
                entry.served = True
                self._activity.add(1)
                entry.reply.set_result(reply)
        self._consider()

    # On the model's own thread from here on.

    def _turn(self, waiting: list[_Waiting]) -> list[tuple[_Waiting, Reply]]:
        entries = block(waiting, lambda entry: entry.errand.request, max(1, self._backend.batch))
        began = time.perf_counter()
        for entry in entries:
            entry.errand.began = began
        self._loop.call_soon_threadsafe(self._count_out, len(entries))
        replies = self._replies(entries)
        for entry in entries:
            entry.errand.seconds = (time.perf_counter() - began) / len(entries)
        return list(zip(entries, replies, strict=True))

    def _count_out(self, count: int) -> None:
        self._activity.out += count

    def _replies(self, entries: Sequence[_Waiting]) -> list[Reply]:
        requests = [entry.errand.request for entry in entries]
        name = type(self._backend).__name__
        try:
            name = self._backend.facts.name
            replies = list(self._backend.serve(requests, self._emitter(entries)))
        except BaseException as error:  # whatever a backend raises fails its requests, not the engine
            log.warning("%s raised", name, exc_info=error)
            return [crashed(error, name)] * len(requests)
        if len(replies) != len(requests):
            wrong = f"{name} gave {len(replies)} replies to {len(requests)} requests: report this to its maintainers"
            return [Failure("crashed", wrong)] * len(requests)
        return [fitting(request, reply, name) for request, reply in zip(requests, replies, strict=True)]

    def _emitter(self, entries: Sequence[_Waiting]) -> Callable[[int, str], None]:
        def emit(index: int, text: str) -> None:
            listener = entries[index].errand.emit
            if listener is not None:
                self._loop.call_soon_threadsafe(listener, text)

        return emit

    async def close(self) -> None:
        """Close the backend on its own thread, after the batch under way."""
        await self._loop.run_in_executor(self._thread, self._backend.close)
        self._thread.shutdown(wait=False)
