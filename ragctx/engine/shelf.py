"""The reply store as the loop sees it: look-ups and group commits on threads, never on the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ragctx.engine.store import BillingStore, GroupStore, Kept, ReplyStore
from ragctx.work import Success


class Shelf:
    """Reads and writes a store for many works at once.

    While one commit runs, new replies gather; they are written together as soon as it ends. A work is sent its reply
    when the commit that holds it has ended, so the cost of an fsync is shared by all works in flight.

    Args:
        store: where replies are kept; None keeps nothing.
        threads: where the store is called.
    """

    def __init__(self, store: ReplyStore | None, threads: ThreadPoolExecutor) -> None:
        self.store, self._threads = store, threads
        self._waiting: list[tuple[Kept, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def get(self, key: str | None) -> Success | None:
        """The stored reply of a key; None where there is none."""
        if self.store is None or key is None:
            return None
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.store.get, key)

    async def put(self, kept: Kept) -> None:
        """Keep a reply; returns when the store has it.

        Raises:
            StoreError: the store could not write it.
        """
        if self.store is None:
            return
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((kept, stored))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        await stored

    async def _write(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                error = await self._write_group([kept for kept, _ in group])
                for _, stored in group:
                    _settle(stored, error)
        finally:
            self._writer = None

    async def _write_group(self, replies: Sequence[Kept]) -> Exception | None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._put_all, replies)
        except Exception as error:  # noqa: BLE001 - a store may be anybody's; its error ends the works that wait for it
            return error
        return None

    def _put_all(self, replies: Sequence[Kept]) -> None:
        assert self.store is not None
        if isinstance(self.store, BillingStore):
            self.store.put_billed(replies)
        elif isinstance(self.store, GroupStore):
            self.store.put_all([(kept.key, kept.reply) for kept in replies])
        else:
            for kept in replies:
                self.store.put(kept.key, kept.reply)


def _settle(stored: asyncio.Future[None], error: Exception | None) -> None:
    if stored.done():  # its work was cancelled while the commit ran
        return
    if error is None:
        stored.set_result(None)
    else:
        stored.set_exception(error)
