"""What was really spent: charges as a job file holds them, from the reply that was paid for to the row that asked.

A charge is entered with its reply, in one transaction, so that money spent on a row that was never finished is known.
It is *claimed* when a row is finished and its usage names it. A resumed row replays its replies at no cost, and claims
what they were billed in an earlier run: its usage reads as if it had never been interrupted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence

from ragctx.types import Charge, Usage

_INSERT = """
INSERT INTO charges(row, request, claimed, role, purpose, model, prompt, output, cached, seconds, money)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_UNCLAIMED = """
SELECT number, prompt, output, cached, seconds, money FROM charges
WHERE request = ? AND claimed = 0 ORDER BY number LIMIT 1
"""
_CLAIM = """
UPDATE charges SET row = ?, claimed = 1, role = ?, purpose = ?, model = ?, prompt = ?, output = ?, cached = ?,
seconds = ?, money = ? WHERE number = ?
"""


def enter(connection: sqlite3.Connection, row: str, request: str | None, charge: Charge, *, claimed: bool) -> None:
    """Add one charge to the ledger."""
    connection.execute(_INSERT, (row, request, claimed, *_values(charge)))


def settle(
    connection: sqlite3.Connection, row: str, usage: Usage, requests: Sequence[str | None], fresh: Collection[str]
) -> Usage:
    """Claim a row's charges; its usage over every run of the job.

    Args:
        connection: in a transaction.
        row: the row's key.
        usage: of this run, as the engine told it.
        requests: of each of its charges, as the engine told them.
        fresh: keys of the replies stored in this run: somebody pays for them in this run, so a replay of one is free.
    """
    pairs = zip(usage.charges, requests, strict=True)
    return Usage(tuple(_settled(connection, row, charge, request, fresh) for charge, request in pairs))


def _settled(
    connection: sqlite3.Connection, row: str, charge: Charge, request: str | None, fresh: Collection[str]
) -> Charge:
    if charge.replayed and request in fresh:
        return charge
    found = connection.execute(_UNCLAIMED, (request,)).fetchone()
    if charge.replayed and found is None:
        return charge
    told = Charge(charge.role, charge.purpose, charge.model, *found[1:]) if charge.replayed else charge
    if found is None:
        enter(connection, row, request, told, claimed=True)
    else:
        connection.execute(_CLAIM, (row, *_values(told), found[0]))
    return told


def _values(charge: Charge) -> tuple[object, ...]:
    amounts = (charge.prompt, charge.output, charge.cached, charge.seconds, charge.money)
    return (charge.role, charge.purpose, charge.model, *amounts)
