"""One exchange for each reply store: works share calls and replies only with those who keep them in the same place."""

from __future__ import annotations

import weakref
from concurrent.futures import ThreadPoolExecutor

from ragctx.engine.activity import Activity
from ragctx.engine.calls import Tools
from ragctx.engine.exchange import Exchange
from ragctx.engine.retries import Backoff
from ragctx.engine.shelf import Shelf
from ragctx.engine.store import ReplyStore


class Exchanges:
    """The exchanges of an engine, by store; all of them send their calls down the same lanes.

    The engine's own store has one for good. That of a job's own store lives as long as a work uses it, so that a store
    which its owner has closed is not held. Lives on the engine's loop thread.

    Args:
        store: the engine's own. activity: of the engine.
        attempts: the most attempts at one request. backoff: the waits between them.
    """

    def __init__(self, store: ReplyStore | None, activity: Activity, attempts: int, backoff: Backoff) -> None:
        self.activity = activity
        self._attempts, self._backoff = attempts, backoff
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="ragctx-store")
        self._own = self._open(store)
        # By identity: an exchange holds its store, so no other object has the number as long as the entry is there.
        self._others: weakref.WeakValueDictionary[int, Exchange] = weakref.WeakValueDictionary()

    def of(self, store: ReplyStore | None) -> Exchange:
        """The exchange of a job's store; the engine's own where the job names none."""
        if store is None or store is self._own.tools.shelf.store:
            return self._own
        exchange = self._others.get(id(store))
        if exchange is None:
            exchange = self._others[id(store)] = self._open(store)
        return exchange

    def _open(self, store: ReplyStore | None) -> Exchange:
        return Exchange(Tools(self.activity, Shelf(store, self._threads), self._attempts, self._backoff))

    def close(self) -> None:
        """Let the threads end; the stores belong to whoever opened them."""
        self._threads.shutdown(wait=False)
