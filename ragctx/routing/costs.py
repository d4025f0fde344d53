"""What a strategy's estimate costs against reading everything, and whether it stays within a budget.

Cost is one number a question: money where every candidate's price is known, else seconds where every speed is known,
else tokens; divided by the same measure of reading everything, so that 1.0 means "as dear as the whole text".
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, TypeVar

from ragctx.types import Budget, Estimate, Range

MEASURES: Final = ("money", "seconds", "tokens")


def measure(estimates: Iterable[Estimate], whole: Estimate) -> str:
    """The measure all estimates have and that is above zero for reading everything.

    Example:
        >>> measure([], Estimate.exactly(prompt=100, output=(1, 2, 3)))
        'tokens'
    """
    every = (*estimates, whole)
    usable = (name for name in MEASURES[:-1] if all(getattr(e, name) is not None for e in every))
    return next((name for name in usable if getattr(whole, name).expected > 0), "tokens")


def relative(estimate: Estimate, whole: Estimate, by: str) -> float:
    """Expected cost of an estimate over that of reading everything, by one measure.

    Example:
        >>> part, whole = (Estimate.exactly(prompt=p, output=(0, 0, 0)) for p in (200, 1000))
        >>> relative(part, whole, "tokens")
        0.2
    """
    unit: Range = getattr(whole, by)
    spent: Range = getattr(estimate, by)
    return round(spent.expected / unit.expected, 4) if unit.expected > 0 else 0.0


def tightest(*budgets: Budget | None) -> Budget:
    """The budget that keeps every ceiling of all budgets given.

    Example:
        >>> tightest(Budget(tokens=500), None, Budget(tokens=900, calls=2))
        Budget(tokens=500, money=None, seconds=None, calls=2)
    """
    given = [budget for budget in budgets if budget is not None]
    return Budget(
        tokens=_least(budget.tokens for budget in given),
        money=_least(budget.money for budget in given),
        seconds=_least(budget.seconds for budget in given),
        calls=_least(budget.calls for budget in given),
    )


_Amount = TypeVar("_Amount", int, float)


def _least(amounts: Iterable[_Amount | None]) -> _Amount | None:
    return min((amount for amount in amounts if amount is not None), default=None)


def over_budget(estimate: Estimate, budget: Budget) -> str:
    """Why an estimate may exceed a budget, in words; empty when its high end stays within.

    Example:
        >>> over_budget(Estimate.exactly(prompt=9_000, output=(0, 50, 100)), Budget(tokens=8_000))
        'may need 9,100 tokens, budget 8,000'
        >>> over_budget(Estimate.exactly(prompt=8_278_260, output=(0, 0, 0)), Budget(calls=0, tokens=9_000_000))
        'may need 1 call, budget 0'
    """
    for name in ("tokens", "calls", "money", "seconds"):
        ceiling, amount = getattr(budget, name), getattr(estimate, name)
        if ceiling is None:
            continue
        if amount is None and name == "money" and estimate.calls.high:
            return f"the budget is {figure(ceiling)} in money and no price is known: give prices or a budget in tokens"
        if amount is not None and amount.high > ceiling:
            return f"may need {_amount(amount.high, name)}, budget {figure(ceiling)}"
    return ""


def _amount(value: float, name: str) -> str:
    if name == "money":
        return f"{figure(value)} in money"
    # Tokens and calls are whole; rounding down could tell a number that is within the budget.
    said = value if name == "seconds" else math.ceil(value)
    return f"{figure(said)} {name[:-1] if said == 1 else name}"


def figure(value: float) -> str:
    """A number for people: digits in groups of three, never a power of ten.

    Example:
        >>> figure(8_278_260), figure(0.000312), figure(1_234.5)
        ('8,278,260', '0.000312', '1,234.5')
    """
    if value == round(value):
        return f"{value:,.0f}"
    if abs(value) < 0.0001:
        return f"{value:.12f}".rstrip("0")
    return f"{value:,.2f}" if abs(value) >= 10_000 else f"{value:,.6g}"


def with_speed_note(estimate: Estimate, budget: Budget) -> Estimate:
    """The estimate, saying so where a ceiling in seconds cannot be checked before reading."""
    if budget.seconds is None or estimate.seconds is not None:
        return estimate
    note = "the reader's speed is not known: the ceiling in seconds is checked while reading"
    return replace(estimate, notes=(*estimate.notes, note))
