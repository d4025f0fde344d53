"""The engine's reply store on the job's own file: a reply and its charge are on the disk before any work sees it."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence

from ragctx.batch.database import Database
from ragctx.batch.ledger import Asked, enter, paired
from ragctx.engine.codec import dump_reply, load_reply
from ragctx.types import Charge, Usage
from ragctx.work import Success

_GET = "SELECT reply FROM replies WHERE request = ?"
_PUT = "INSERT OR IGNORE INTO replies(request, reply) VALUES (?, ?)"


class JobReplies:
    """Keeps every reply of a job, so that a resumed row is told again what it was told before.

    The engine knows keys and replies, not who asked. Rows announce what they are about to ask (`expect`), so that the
    charge entered with a reply names its row, role and price.

    Attributes:
        fresh: keys stored in this run and not yet claimed by the row that paid.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._expected: dict[str, Asked] = {}
        self.fresh: set[str] = set()

    def get(self, key: str) -> Success | None:
        """The stored reply; None where there is none."""
        row = self._database.one(_GET, key)
        return None if row is None else load_reply(row[0])

    def put(self, key: str, reply: Success) -> None:
        """Keep a reply; on the disk when this returns."""
        self.put_all([(key, reply)])

    def put_all(self, replies: Sequence[tuple[str, Success]]) -> None:
        """Keep every reply and what it cost, in one transaction; on the disk when this returns.

        Raises:
            StoreFull, StoreError: none of them was kept.
        """
        with self._lock:
            rows = [(key, dump_reply(reply), *self._charge(key, reply)) for key, reply in replies]
            self.fresh.update(key for key, _ in replies)

        def step(connection: sqlite3.Connection) -> None:
            for key, text, row, charge in rows:
                connection.execute(_PUT, (key, text))
                enter(connection, row, key, charge, claimed=False)

        self._database.write(step)

    def expect(self, asked: Iterable[Asked]) -> None:
        """Say who is about to ask, and what a reply will cost."""
        with self._lock:
            self._expected.update((one.request, one) for one in asked if one.request is not None)

    def forget(self, asked: Sequence[Asked], usage: Usage) -> None:
        """A row is finished: what it paid for is claimed, what others paid for is not."""
        paid = {key for charge, key in paired(usage.charges, asked) if not charge.replayed}
        with self._lock:
            self.fresh -= paid
            for one in asked:
                if one.request is not None and self._expected.get(one.request) == one:
                    del self._expected[one.request]

    def begin(self) -> None:
        """A run begins: whatever an earlier one left behind is nobody's any more."""
        with self._lock:
            self._expected.clear()
            self.fresh.clear()

    def _charge(self, key: str, reply: Success) -> tuple[str, Charge]:
        asked = self._expected.get(key)
        return (asked.row, asked.charge(reply)) if asked else ("", Charge("", "", "", seconds=reply.seconds))
