"""Where replies are kept, so that the same request is not paid for twice."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from ragctx.engine.codec import dump_reply, load_reply
from ragctx.types import Charge
from ragctx.work import Success


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """How much a store holds.

    Attributes:
        entries: stored replies. bytes: what they take.
    """

    entries: int
    bytes: int


class ReplyStore(Protocol):
    """Keeps successful replies by key (see `ragctx.engine.keys`).

    The engine calls it from its own threads, several at once, never from an event loop; it waits for `put` before the
    work is sent the reply. So a store whose `put` returns only when the reply is on disk is a job store: whatever a
    work has seen can be replayed.
    """

    def get(self, key: str) -> Success | None:
        """The stored reply; None where there is none."""
        ...

    def put(self, key: str, reply: Success) -> None:
        """Keep a reply; it survives what the store promises to survive once this returns.

        Raises:
            StoreError: it cannot be written; the work that asked ends with this error.
        """
        ...


@runtime_checkable
class GroupStore(Protocol):
    """A store that keeps many replies at the price of one: the engine hands it all that came in meanwhile."""

    def put_all(self, replies: Sequence[tuple[str, Success]]) -> None:
        """Keep every (key, reply), all or none."""
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """A reply to be kept, and what it cost.

    Attributes:
        charge: what the request was billed, over all attempts. scope: of the job that pays.
    """

    key: str
    reply: Success
    charge: Charge
    scope: str


@runtime_checkable
class BillingStore(Protocol):
    """A store that keeps what each reply cost beside it: the engine tells it both, in groups as a `GroupStore`."""

    def put_billed(self, replies: Sequence[Kept]) -> None:
        """Keep every reply and its charge, all or none."""
        ...


@dataclass(slots=True, weakref_slot=True)
class MemoryStore:
    """Replies kept until the process ends.

    Example:
        >>> from ragctx.work import Completion
        >>> store = MemoryStore()
        >>> store.put("k", Completion("yes"))
        >>> store.get("k").text, store.info().entries
        ('yes', 1)
    """

    _texts: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: str) -> Success | None:
        """The stored reply; None where there is none."""
        with self._lock:
            text = self._texts.get(key)
        return None if text is None else load_reply(text)

    def put(self, key: str, reply: Success) -> None:
        """Keep a reply."""
        text = dump_reply(reply)
        with self._lock:
            self._texts[key] = text

    def info(self) -> StoreInfo:
        """Entries and bytes."""
        with self._lock:
            return StoreInfo(len(self._texts), sum(len(key) + len(text) for key, text in self._texts.items()))

    def clear(self) -> None:
        """Forget every reply."""
        with self._lock:
            self._texts.clear()
