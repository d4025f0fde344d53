"""The replies to one yield, gathered slot by slot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ragctx.engine.calls import Call, Result
from ragctx.engine.exchange import Exchange
from ragctx.engine.guard import Guard
from ragctx.engine.ledger import NOTHING, Bill, Ledger, bill
from ragctx.engine.prepare import Prepared
from ragctx.work import Generate, Reply, Request


@dataclass(frozen=True, slots=True)
class Account:
    """One work's budget and ledger, and who wants to hear of its progress.

    Attributes:
        changed: called after each reply. hear: takes the final completion's text; None where nobody listens.
    """

    guard: Guard
    ledger: Ledger
    changed: Callable[[], None]
    hear: Callable[[str, bool], None] | None = None


@dataclass(slots=True, eq=False)
class Slot:
    """One request of a yield, waiting for its call."""

    prepared: Prepared
    place: int
    account: Account
    yielded: Yielded
    listener: Callable[[str, bool], None] | None = None
    call: Call | None = None
    result: Result | None = None

    def lost(self, bill: Bill) -> bool:
        """An attempt failed and was billed; whether another may be made."""
        amounts = bill.amounts(self.prepared)
        amounts.calls = 0  # the request is counted once, when it is over
        return self.account.guard.lost(amounts)

    def deliver(self, result: Result) -> None:
        """The call is over: book it, and let the work go on if this was its last slot."""
        self.call, self.result = None, result
        self._book(result)
        self.account.changed()
        self.yielded.arrived(self)

    def _book(self, result: Result) -> None:
        # A replayed reply takes from the budget what it once cost, so that a resumed work meets the same limits.
        reply = result.reply
        last = bill(reply, 0) if result.replayed and not isinstance(reply, Exception) else result.last
        self.account.guard.settle(self.prepared, last.amounts(self.prepared))
        if isinstance(reply, Exception) and result.bill == NOTHING:
            return  # the store failed before anything was sent, or another request pays
        if result.replayed:
            self.account.ledger.replay(self.place, self.prepared)
        else:
            self.account.ledger.enter(self.place, self.prepared, result.bill)

    def give_up(self, exchange: Exchange) -> None:
        """Leave the call; what it may be billed is booked as spent."""
        if self.call is None:
            return
        call, self.call = self.call, None
        bill = exchange.leave(call, self)
        self.account.guard.settle(self.prepared, (bill or NOTHING).amounts(self.prepared))
        if bill is not None:
            self.account.ledger.enter(self.place, self.prepared, bill)


class Yielded:
    """What one yield asked for; `replies` waits until every slot has its reply.

    Args:
        asked: the requests, in order; already admitted by the guard.
        account: of the work. exchange: where they are asked.
    """

    def __init__(self, asked: Sequence[Prepared], account: Account, exchange: Exchange) -> None:
        self._exchange, self._guard = exchange, account.guard
        self._all = asyncio.get_running_loop().create_future()
        self._parked = bool(asked)
        place = account.ledger.reserve(len(asked))
        self.slots = [Slot(p, place + i, account, self, _listener(p.request, account)) for i, p in enumerate(asked)]
        self._left = len(self.slots)
        for slot in self.slots:
            slot.call = exchange.ask(slot)
        if self._parked:
            exchange.tools.activity.add(-1)

    def arrived(self, slot: Slot) -> None:
        """A slot has its reply; with the last one the work moves again."""
        self._left -= 1
        if not self._left or (slot.result is not None and isinstance(slot.result.reply, Exception)):
            self._unpark()

    def _unpark(self) -> None:
        if self._parked:
            self._parked = False
            self._exchange.tools.activity.add(1)
        if not self._all.done():
            self._all.set_result(None)

    async def replies(self, deadline: float | None) -> list[Reply]:
        """One reply for each request.

        Args:
            deadline: on the loop's clock; calls in flight are aborted then.

        Raises:
            BudgetSpent: the deadline passed while calls were in flight. StoreError: a reply could not be stored.
        """
        try:
            async with asyncio.timeout_at(deadline):
                if self.slots:
                    await self._all
        except TimeoutError:
            raise self._guard.late() from None
        finally:
            # Slots know their yield: they let go of each other here, or a work would stay until cycles are collected.
            slots, self.slots = self.slots, []
            for slot in slots:
                slot.give_up(self._exchange)
            self._unpark()
        return [_reply(result) for result in _results(slots)]


def _results(slots: Sequence[Slot]) -> list[Result]:
    """Every slot's result, or only the first that is an error of the store: the other slots were given up."""
    results = [slot.result for slot in slots if slot.result is not None]
    broken = [result for result in results if isinstance(result.reply, Exception)]
    return broken[:1] or results


def _reply(result: Result) -> Reply:
    if isinstance(result.reply, Exception):
        raise result.reply
    return result.reply


def _listener(request: Request, account: Account) -> Callable[[str, bool], None] | None:
    return account.hear if isinstance(request, Generate) and request.final else None
