"""What was really spent: charges as a job file holds them, from the reply that was paid for to the row that asked.

A charge is entered with its reply, in one transaction, so that money spent on a row that was never finished is known.
It is *claimed* when a row is finished and its usage names it. A resumed row replays its replies at no cost, and claims
what they were billed in an earlier run: its usage reads as if it had never been interrupted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from ragctx.engine.keys import reply_key
from ragctx.models import ModelFacts, Models
from ragctx.types import Charge, Usage
from ragctx.work import Completion, Request, Scores, Success

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


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a row.

    Attributes:
        row: the row's key. request: the engine's key of its reply; None where replies of its kind are not kept.
    """

    row: str
    request: str | None
    role: str
    purpose: str
    facts: ModelFacts

    @classmethod
    def of(cls, request: Request, row: str, models: Models) -> Asked:
        """What a row asks with a request; sampled replies are the row's own."""
        facts = models.of(request.role)
        return cls(row, reply_key(request, facts, scope=row), request.role, request.purpose, facts)

    def charge(self, reply: Success) -> Charge:
        """What the reply was billed, as far as it tells."""
        prompt, output, cached = billed(reply)
        prices = self.facts.prices
        money = prices.money(prompt, output, cached) if prices else None
        return Charge(self.role, self.purpose, self.facts.name, prompt, output, cached, reply.seconds, money)


def billed(reply: Success) -> tuple[int, int, int]:
    """Prompt, output and cached tokens of a reply.

    Example:
        >>> billed(Completion("yes", prompt_tokens=90, output_tokens=1, cached_tokens=64))
        (90, 1, 64)
    """
    if isinstance(reply, Completion):
        return reply.prompt_tokens, reply.output_tokens, reply.cached_tokens
    return (reply.prompt_tokens if isinstance(reply, Scores) else reply.tokens), 0, 0


def enter(connection: sqlite3.Connection, row: str, request: str | None, charge: Charge, *, claimed: bool) -> None:
    """Add one charge to the ledger."""
    connection.execute(_INSERT, (row, request, claimed, *_values(charge)))


def settle(
    connection: sqlite3.Connection, row: str, usage: Usage, asked: Sequence[Asked], fresh: Collection[str | None]
) -> Usage:
    """Claim a row's charges; its usage over every run of the job.

    Args:
        connection: in a transaction.
        row: the row's key.
        usage: of this run, as the engine told it.
        asked: every request of this run, in order.
        fresh: keys of the replies stored in this run: somebody pays for them in this run, so a replay of one is free.
    """
    return Usage(tuple(_settled(connection, row, charge, key, fresh) for charge, key in paired(usage.charges, asked)))


def _settled(
    connection: sqlite3.Connection, row: str, charge: Charge, request: str | None, fresh: Collection[str | None]
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


def paired(charges: Sequence[Charge], asked: Sequence[Asked]) -> Iterator[tuple[Charge, str | None]]:
    """Each charge with the request it is for: both are in the work's order, but a request given up has no charge."""
    following = iter(asked)
    for charge in charges:
        match = next((one for one in following if (one.role, one.purpose) == (charge.role, charge.purpose)), None)
        yield charge, match.request if match else None


def _values(charge: Charge) -> tuple[object, ...]:
    amounts = (charge.prompt, charge.output, charge.cached, charge.seconds, charge.money)
    return (charge.role, charge.purpose, charge.model, *amounts)
