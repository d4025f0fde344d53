"""The job file's tables, as named steps that are only ever appended to.

`migrations` in the file holds the names of the steps it has seen. A file with a step unknown here was written by a
newer ragctx and is left alone.
"""

from __future__ import annotations

import sqlite3

from ragctx.errors import StoreError

APPLICATION = 0x52414743  # "RAGC", in the file's header: tells a job from any other SQLite file

_JOB = """
CREATE TABLE job(
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL              -- JSON
) STRICT, WITHOUT ROWID
"""

# `position` is the order of the questions as given, `turn` the order in which they are asked.
_ROWS = """
CREATE TABLE rows(
    position INTEGER PRIMARY KEY,
    turn INTEGER NOT NULL UNIQUE,
    id TEXT NOT NULL UNIQUE,
    key TEXT NOT NULL UNIQUE,
    question_hash TEXT NOT NULL,
    question TEXT NOT NULL,          -- JSON
    strategy TEXT NOT NULL,
    decision TEXT NOT NULL,          -- JSON
    tokens REAL,                     -- expected, NULL where the plan does not know
    calls REAL,
    seconds REAL,
    money REAL
) STRICT
"""

_ANSWERS = """
CREATE TABLE answers(
    position INTEGER PRIMARY KEY REFERENCES rows,
    answer TEXT NOT NULL,            -- JSON
    answerable INTEGER NOT NULL
) STRICT
"""

# A row with `retry` = 1 is pending again; it is kept so that the attempts go on counting.
_FAILURES = """
CREATE TABLE failures(
    position INTEGER PRIMARY KEY REFERENCES rows,
    name TEXT NOT NULL,
    message TEXT NOT NULL,
    exit_code INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    retry INTEGER NOT NULL DEFAULT 0
) STRICT
"""

_REPLIES = """
CREATE TABLE replies(
    request TEXT PRIMARY KEY,        -- the engine's key
    reply TEXT NOT NULL              -- JSON
) STRICT, WITHOUT ROWID
"""

# A charge is entered with the reply it paid for, and claimed when the row that asked is finished.
_CHARGES = """
CREATE TABLE charges(
    number INTEGER PRIMARY KEY,
    row TEXT NOT NULL,               -- rows.key
    request TEXT,                    -- replies.request, NULL where no reply was kept
    claimed INTEGER NOT NULL,
    role TEXT NOT NULL,
    purpose TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt INTEGER NOT NULL,
    output INTEGER NOT NULL,
    cached INTEGER NOT NULL,
    seconds REAL NOT NULL,
    money REAL
) STRICT
"""

_INDEXES = (
    "CREATE INDEX unclaimed ON charges(request) WHERE claimed = 0",
    "CREATE INDEX charges_of_row ON charges(row)",
)

MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "0001-tables",
        (_JOB, _ROWS, _ANSWERS, _FAILURES, _REPLIES, _CHARGES, *_INDEXES),
    ),
)


def applied(connection: sqlite3.Connection) -> set[str]:
    """Names of the steps a file has seen; empty for a file without our tables."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'migrations'").fetchone():
        return set()
    return {name for (name,) in connection.execute("SELECT name FROM migrations")}


def missing(connection: sqlite3.Connection) -> list[str]:
    """Names of the steps a file has yet to see, in order.

    Raises:
        StoreError: the file has seen steps that this version does not know.
    """
    seen = applied(connection)
    newer = sorted(seen - {name for name, _ in MIGRATIONS})
    if newer:
        raise StoreError(
            f"the job was written by a newer ragctx (it has {', '.join(newer)}): upgrade ragctx to open it"
        )
    return [name for name, _ in MIGRATIONS if name not in seen]


def migrate(connection: sqlite3.Connection) -> None:
    """Apply the missing steps, all or none."""
    wanted = missing(connection)
    if not wanted:
        return
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE IF NOT EXISTS migrations(name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID")
        for name, statements in MIGRATIONS:
            if name in wanted:
                for statement in statements:
                    connection.execute(statement)
                connection.execute("INSERT INTO migrations VALUES (?)", (name,))
