"""The SQLite side of a job file: one connection that writes, one that reads, and errors that say what to do.

Write-ahead log with `synchronous=FULL`: a commit is on the disk before anybody is told of it, so it outlives kill -9,
and power loss on disks that honour a flush. The engine hands over many rows' replies at once, so a flush is shared.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from ragctx.engine.sqlite_errors import kind
from ragctx.errors import StoreCorrupt, StoreError, StoreFull, StoreLocked

T = TypeVar("T")
Step = Callable[[sqlite3.Connection], T]

_TOLD: Mapping[type[StoreError], str] = {
    StoreFull: "no room to write {path} ({error}): free some space and run the job again; nothing is lost",
    StoreCorrupt: "{path} is not a whole job file ({error}): restore a copy of it, or start a new job",
    StoreLocked: "{path} is held by another program ({error}): close that program and run the job again",
}


def connect(path: Path) -> sqlite3.Connection:
    """A connection that may move between threads; transactions are begun by hand."""
    with telling(path):
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
        except sqlite3.Error:
            connection.close()
            raise
        return connection


@contextlib.contextmanager
def telling(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise explained(error, path) from error


def explained(error: sqlite3.Error, path: Path) -> StoreError:
    """Our error for one of SQLite's, with what to do next."""
    told = _TOLD.get(kind(error), "cannot use {path} ({error}): check that it and its folder may be read and written")
    return kind(error)(told.format(path=path, error=error))


class Database:
    """A job file opened twice, so that a look-up never waits for a commit; threads take turns at each.

    Args:
        path: of a job file that exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reading, self._writing = threading.Lock(), threading.Lock()
        self._reader, self._writer = connect(path), connect(path)

    def all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Every row of a query that is known to be short."""
        with self._reading, telling(self.path):
            return self._reader.execute(query, values).fetchall()

    def one(self, query: str, *values: object) -> tuple[Any, ...] | None:
        """The first row of a query that has at most a few."""
        rows = self.all(query, *values)
        return rows[0] if rows else None

    def write(self, step: Step[T]) -> T:
        """Run a step in one transaction; when this returns, what it wrote is on the disk.

        Raises:
            StoreFull, StoreCorrupt, StoreLocked, StoreError: nothing of the step was written.
        """
        with self._writing, telling(self.path):
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                result = step(self._writer)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise
            return result

    def close(self) -> None:
        """Close both connections; the last one to close folds the log into the file."""
        with self._reading, self._writing, telling(self.path):
            self._reader.close()
            self._writer.close()
