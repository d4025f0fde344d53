"""What a work may still spend, checked before each dispatch on the rendered requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ragctx.engine.prepare import Prepared
from ragctx.errors import BudgetSpent
from ragctx.types import Budget


@dataclass(slots=True)
class Amounts:
    """So many tokens, so much money, so many calls."""

    tokens: float = 0
    money: float = 0.0
    calls: float = 0

    def add(self, other: Amounts, sign: int = 1) -> None:
        """Add (or take away) another's amounts."""
        self.tokens += sign * other.tokens
        self.money += sign * other.money
        self.calls += sign * other.calls


@dataclass(slots=True)
class Guard:
    """One work's budget.

    A yield is admitted whole or not at all: the most that its requests can bill (rendered prompt plus `max_tokens`) is
    reserved together. So with an exact counter what is billed never exceeds the budget. A reply from the store is
    counted at what it cost when it was billed, not at nothing: a resumed work then meets the same limits at the same
    places, and gives the same answer. Calls are requests; the retries of one are one call.

    Attributes:
        budget: None admits everything. deadline: on the clock that `now` is read from; None where there is none.
    """

    budget: Budget | None = None
    deadline: float | None = None
    spent: Amounts = field(default_factory=Amounts)
    reserved: Amounts = field(default_factory=Amounts)

    def admit(self, asked: Sequence[Prepared], now: float) -> None:
        """Reserve what these requests may bill.

        Raises:
            BudgetSpent: one of the budget's ceilings would be exceeded; nothing is reserved.
        """
        if self.deadline is not None and now >= self.deadline:
            raise self.late()
        needs = Amounts()
        for prepared in asked:
            needs.add(most(prepared))
        for what in ("tokens", "money", "calls"):
            self._refuse_over(what, getattr(needs, what))
        self.reserved.add(needs)

    def late(self) -> BudgetSpent:
        """The error of a passed deadline: it tells the seconds that the work had."""
        return BudgetSpent("seconds", self.budget.seconds or 0 if self.budget is not None else 0, 0)

    def _refuse_over(self, what: str, needs: float) -> None:
        ceiling = getattr(self.budget, what) if self.budget is not None else None
        if ceiling is None or not needs:
            return
        left = ceiling - getattr(self.spent, what) - getattr(self.reserved, what)
        if needs > left:
            raise BudgetSpent(what, needs, max(0, left))

    def settle(self, prepared: Prepared, billed: Amounts) -> None:
        """A request is over: its reservation is replaced by what its last attempt billed."""
        self.reserved.add(most(prepared), -1)
        self.spent.add(billed)

    def lost(self, billed: Amounts) -> bool:
        """An attempt failed and was billed; whether what is left still covers everything reserved, and so a retry."""
        self.spent.add(billed)
        if self.budget is None:
            return True
        return all(
            ceiling is None or getattr(self.spent, what) + getattr(self.reserved, what) <= ceiling
            for what, ceiling in (("tokens", self.budget.tokens), ("money", self.budget.money))
        )


def most(prepared: Prepared) -> Amounts:
    """The most a request can bill."""
    if not prepared.metered:
        return Amounts(money=prepared.money)
    return Amounts(prepared.prompt + prepared.output, prepared.money, 1)
