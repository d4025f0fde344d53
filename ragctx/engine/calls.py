"""One call may answer several requests: works that ask the same at the same time share it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from ragctx.engine.activity import Activity
from ragctx.engine.lanes import Errand
from ragctx.engine.ledger import NOTHING, Bill, bill
from ragctx.engine.prepare import Prepared
from ragctx.engine.retries import Backoff, attempt
from ragctx.engine.shelf import Shelf
from ragctx.engine.store import Kept
from ragctx.engine.streaming import Broadcast
from ragctx.work import Failure, Reply, Success


@dataclass(frozen=True, slots=True)
class Result:
    """How a request ended.

    Attributes:
        reply: of the backend or the store; an exception where the store failed.
        bill: over all attempts; empty for those who did not pay. last: of the last attempt alone.
        replayed: the reply came from the store, or from a call that another request pays for.
    """

    reply: Reply | Exception
    bill: Bill = NOTHING
    last: Bill = NOTHING
    replayed: bool = False


class Party(Protocol):
    """A request that waits for a call: one slot of a work's yield."""

    prepared: Prepared
    listener: Callable[[str, bool], None] | None

    def lost(self, bill: Bill) -> bool:
        """An attempt failed and was billed; whether another may be made."""
        ...

    def deliver(self, result: Result) -> None:
        """The call is over."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What every call of an engine works with."""

    activity: Activity
    shelf: Shelf
    attempts: int
    backoff: Backoff


@dataclass(slots=True, eq=False)
class Call:
    """A request on its way: store, then backend with retries, then store, then everybody who waits.

    The first who waits pays; if it leaves, the next one does. When the last one leaves the call is aborted.
    """

    prepared: Prepared
    tools: Tools
    waiting: list[Party] = field(default_factory=list)
    stream: Broadcast = field(default_factory=Broadcast)
    total: Bill = NOTHING
    errand: Errand | None = None
    task: asyncio.Task[None] | None = None
    _last: Bill = NOTHING
    _resting: bool = False

    def join(self, party: Party) -> None:
        """Wait for this call too."""
        self.waiting.append(party)
        if party.listener is not None:
            self.stream.subscribe(party.listener)

    def leave(self, party: Party) -> Bill | None:
        """Stop waiting; for the last one the call is aborted, and this is what it may still be billed.

        An endpoint that was sent a prompt bills it whether or not anybody reads the reply, so the rendered prompt of
        a call that had started is charged.
        """
        self.waiting.remove(party)
        if self.waiting or self.task is None:
            return None
        self.task.cancel()
        if self.errand is None or self.errand.began is None:
            return self.total if self.total != NOTHING else None
        return self.total.plus(Bill(self.prepared.prompt, seconds=time.perf_counter() - self.errand.began))

    async def run(self) -> None:
        """See the call through; never raises but for cancellation."""
        try:
            result = await self._result()
        except Exception as error:  # noqa: BLE001 - the store may be anybody's; its error goes to the works
            result = Result(error, self.total, self._last)
        finally:
            self._wake()
        if not self.waiting:  # a backend kept a cancelled call alive to its end; nobody is there to hear of it
            return
        payer, *others = self.waiting
        self.waiting = []
        payer.deliver(result)
        for party in others:
            party.deliver(replace(result, bill=NOTHING, replayed=True))

    async def _result(self) -> Result:
        stored = await self.tools.shelf.get(self.prepared.key)
        if stored is not None:
            self.stream.whole(stored)
            return Result(stored, last=bill(stored, 0), replayed=True)
        reply = await attempt(self._once, self._may_retry, self.tools.attempts, self.tools.backoff)
        if not isinstance(reply, Failure):
            self.stream.whole(reply)
            await self._keep(reply)
        return Result(reply, self.total, self._last)

    async def _keep(self, reply: Success) -> None:
        if self.prepared.key is None:
            return
        payer = self.waiting[0].prepared if self.waiting else self.prepared
        await self.tools.shelf.put(Kept(self.prepared.key, reply, self.total.charge(payer), payer.scope))

    async def _once(self) -> Reply:
        self._wake()
        self.stream.begin()
        errand = self.errand = Errand(self.prepared.request, self.stream.take if self.stream.listeners else None)
        reply = await self.prepared.lane.serve(errand)
        self._last = bill(reply, errand.seconds)
        self.total = self.total.plus(self._last)
        self.errand = None
        return reply

    def _may_retry(self, failure: Failure) -> bool:
        may = bool(self.waiting) and self.waiting[0].lost(self._last)
        self._last = NOTHING  # it is booked
        if may:
            self._rest()
        return may

    # While it waits for its next attempt, a call is not about to arrive anywhere.

    def _rest(self) -> None:
        self._resting = True
        self.tools.activity.add(-1)

    def _wake(self) -> None:
        if self._resting:
            self._resting = False
            self.tools.activity.add(1)
