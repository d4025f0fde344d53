"""Where the requests of all works meet: equal ones share a call, all of them go down their lanes."""

from __future__ import annotations

import asyncio

from ragctx.engine.calls import Call, Party, Tools
from ragctx.engine.ledger import Bill


class Exchange:
    """Starts calls and lets equal requests that are under way at the same time share one.

    Lives on the engine's loop thread.
    """

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self._under_way: dict[str, Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, party: Party) -> Call:
        """The call that answers this request: one under way with the same key, or a new one."""
        key = party.prepared.key
        call = self._under_way.get(key) if key is not None else None
        # A call that has delivered stands here until the loop's next turn; whoever joined it then would wait for ever.
        if call is None or (call.task is not None and call.task.done()):
            call = Call(party.prepared, self.tools)
            self._start(call, key)
        call.join(party)
        return call

    def _start(self, call: Call, key: str | None) -> None:
        if key is not None:
            self._under_way[key] = call
        self.tools.activity.add(1)
        call.task = asyncio.create_task(call.run())
        self._tasks.add(call.task)  # the loop itself keeps only weak references to tasks
        call.task.add_done_callback(lambda task: self._over(call, key, task))

    def _over(self, call: Call, key: str | None, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._forget(call, key)
        self.tools.activity.add(-1)

    def leave(self, call: Call, party: Party) -> Bill | None:
        """A request is given up; what it may still be billed, see `Call.leave`."""
        bill = call.leave(party)
        if not call.waiting:
            self._forget(call, party.prepared.key)  # nobody may join a call that is being aborted
        return bill

    def _forget(self, call: Call, key: str | None) -> None:
        if key is not None and self._under_way.get(key) is call:
            del self._under_way[key]
