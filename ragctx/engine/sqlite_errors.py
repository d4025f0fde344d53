"""What SQLite's error codes mean to us; whoever owns the file says what to do about it."""

from __future__ import annotations

import sqlite3

from ragctx.errors import StoreCorrupt, StoreError, StoreFull, StoreLocked

_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_TRUNCATE}
_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR_SHORT_READ}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def kind(error: sqlite3.Error) -> type[StoreError]:
    """The class of ours that an error of SQLite belongs to; `StoreError` where it is none of the special ones.

    Example:
        >>> try:
        ...     sqlite3.connect(":memory:").executescript("PRAGMA max_page_count = 1; CREATE TABLE t(a)")
        ... except sqlite3.Error as full:
        ...     kind(full).__name__
        'StoreFull'
    """
    code = getattr(error, "sqlite_errorcode", 0)  # errors of Python's own module have none
    if code in _FULL:
        return StoreFull
    if {code, code & 0xFF} & _BROKEN:
        return StoreCorrupt
    return StoreLocked if code & 0xFF in _BUSY else StoreError
