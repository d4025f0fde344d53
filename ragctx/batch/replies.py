"""The engine's reply store on the job's own file: a reply and its charge are on the disk before any work sees it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence

from ragctx.batch.database import Database
from ragctx.batch.ledger import enter
from ragctx.engine import Kept
from ragctx.engine.codec import dump_reply, load_reply
from ragctx.types import Charge, Usage
from ragctx.work import Success

_GET = "SELECT reply FROM replies WHERE request = ?"
_PUT = "INSERT OR IGNORE INTO replies(request, reply) VALUES (?, ?)"


class JobReplies:
    """Keeps every reply of a job, so that a resumed row is told again what it was told before.

    The engine says what each reply cost and to which row's scope it is billed, so that money spent on a row that was
    never finished is known.

    Attributes:
        fresh: keys stored in this run and not yet claimed by the row that paid.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self.fresh: set[str] = set()

    def get(self, key: str) -> Success | None:
        """The stored reply; None where there is none."""
        row = self._database.one(_GET, key)
        return None if row is None else load_reply(row[0])

    def put(self, key: str, reply: Success) -> None:
        """Keep a reply that nobody is billed for; on the disk when this returns."""
        self.put_billed([Kept(key, reply, Charge("", "", ""), "")])

    def put_billed(self, replies: Sequence[Kept]) -> None:
        """Keep every reply and what it cost, in one transaction; on the disk when this returns.

        Raises:
            StoreFull, StoreError: none of them was kept.
        """
        texts = [dump_reply(kept.reply) for kept in replies]
        with self._lock:
            self.fresh.update(kept.key for kept in replies)

        def step(connection: sqlite3.Connection) -> None:
            for kept, text in zip(replies, texts, strict=True):
                connection.execute(_PUT, (kept.key, text))
                enter(connection, kept.scope, kept.key, kept.charge, claimed=False)

        self._database.write(step)

    def claimed(self, usage: Usage, requests: Sequence[str | None]) -> None:
        """A row is finished: what it paid for is claimed, what others paid for is not."""
        pairs = zip(requests, usage.charges, strict=True)
        with self._lock:
            self.fresh -= {request for request, charge in pairs if request is not None and not charge.replayed}

    def begin(self) -> None:
        """A run begins: whatever an earlier one left behind is nobody's any more."""
        with self._lock:
            self.fresh.clear()
