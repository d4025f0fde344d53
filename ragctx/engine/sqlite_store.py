"""Replies in one SQLite file: WAL, readable by its owner only, JSON inside."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ragctx.engine.codec import dump_reply, load_reply
from ragctx.engine.sqlite_errors import kind
from ragctx.engine.store import StoreInfo
from ragctx.errors import StoreCorrupt, StoreError, StoreFull, StoreLocked
from ragctx.folders import cache_folder, private
from ragctx.work import Success

_TABLE = "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL) STRICT, WITHOUT ROWID"
_PUT = "INSERT OR REPLACE INTO replies VALUES (?, ?)"
_TOLD: Mapping[type[StoreError], str] = {
    StoreFull: "the disk is full, {path} was not written: free some space; what was stored is still usable",
    StoreLocked: "another process keeps {path} locked: wait for it, or name another path",
    StoreCorrupt: "{path} is damaged or not a reply store ({error}): delete it, it is rebuilt as you ask",
}
_INFO = "SELECT count(*), coalesce(sum(length(CAST(key AS BLOB)) + length(CAST(reply AS BLOB))), 0) FROM replies"


class SqliteStore:
    """The reply cache, and a store that a job can be resumed from.

    One connection reads while another writes, so a look-up never waits for a commit. The engine hands over all replies
    that came in during the last commit as one transaction.

    Args:
        path: the file; by default `replies.sqlite` in the cache folder.
        durable: a reply is on the disk (fsync) before `put` returns, so that it survives a power cut and not only the
            process. Either way it survives kill -9.

    Raises:
        StoreError: the file cannot be opened, or is not a reply store.
    """

    def __init__(self, path: str | Path | None = None, *, durable: bool = False) -> None:
        self.path = Path(path) if path is not None else cache_folder("replies") / "replies.sqlite"
        self._locks = threading.Lock(), threading.Lock()
        with self._told():
            private(self.path.parent)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite's -wal and -shm take over this mode
            self._writer, self._reader = self._open(durable), self._open(durable)

    def _open(self, durable: bool) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        connection.execute(_TABLE)
        return connection

    def get(self, key: str) -> Success | None:
        """The stored reply; None where there is none."""
        with self._told(), self._locks[0]:
            row = self._reader.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        return None if row is None else load_reply(row[0])

    def put(self, key: str, reply: Success) -> None:
        """Keep a reply; committed when this returns."""
        self.put_all([(key, reply)])

    def put_all(self, replies: Sequence[tuple[str, Success]]) -> None:
        """Keep every reply in one transaction; committed when this returns."""
        rows = [(key, dump_reply(reply)) for key, reply in replies]
        with self._told(), self._locks[1]:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                self._writer.executemany(_PUT, rows)
                self._writer.execute("COMMIT")
            except sqlite3.Error:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def info(self) -> StoreInfo:
        """Entries and bytes of keys and replies."""
        with self._told(), self._locks[0]:
            return StoreInfo(*self._reader.execute(_INFO).fetchone())

    def clear(self) -> None:
        """Forget every reply and give the disk space back."""
        with self._told(), self._locks[1]:
            self._writer.execute("DELETE FROM replies")
            self._writer.execute("VACUUM")

    def close(self) -> None:
        """Close the file."""
        for lock, connection in zip(self._locks, (self._reader, self._writer), strict=True):
            with lock:
                connection.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """SQLite's and the system's errors as ours, each with what to do."""
        try:
            yield
        except sqlite3.Error as error:
            raise _explained(self.path, error) from error
        except OSError as error:
            raise StoreError(f"the reply store {self.path} cannot be opened ({error}): name another path") from error


def _explained(path: Path, error: sqlite3.Error) -> StoreError:
    told = _TOLD.get(kind(error), "the reply store {path} failed ({error}): check the path, or delete the file")
    return kind(error)(told.format(path=path, error=error))
