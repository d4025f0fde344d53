"""One background thread with one event loop: sync and async callers reach the same code through it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from ragctx.errors import ConfigError

T = TypeVar("T")


class LoopThread:
    """An event loop that runs on a daemon thread until it is stopped.

    Callers hand it coroutines and get `concurrent.futures.Future`s: a sync caller waits for one, an async caller wraps
    one in its own loop (`asyncio.wrap_future`). So it does not matter whether, or which, loop the caller runs in.
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        # Whatever is submitted stands in the loop's queue before its end does: it is run or cancelled, never lost.
        self._gate = threading.Lock()
        self._ending = False
        self._thread = threading.Thread(target=_run, args=(self._loop,), name=name, daemon=True)
        self._thread.start()

    @property
    def stopped(self) -> bool:
        """Whether it takes no more work."""
        return self._ending

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine there.

        Raises:
            ConfigError: it was stopped, or is called from the loop's own thread, where waiting for it would never end.
        """
        if threading.get_ident() == self._thread.ident:
            coroutine.close()
            raise ConfigError("a backend called the engine from the engine's own loop: let it call its endpoint only")
        with self._gate:
            if not self._ending:
                return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        coroutine.close()
        raise ConfigError("this engine is closed: make a new one")

    def stop(self) -> None:
        """End the loop; what still runs on it is cancelled."""
        with self._gate:
            if not self._ending:
                self._ending = True
                self._loop.call_soon_threadsafe(self._loop.stop)
        if threading.get_ident() != self._thread.ident:
            self._thread.join()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=5))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
