"""A budget for a whole job: the smallest lambda at which its choices cost no more, found by bisection."""

from __future__ import annotations

from collections.abc import Sequence

from ragctx.errors import LimitError

Arm = tuple[float, float]
"""Predicted score, and cost in the unit of the budget."""


def spend(questions: Sequence[Sequence[Arm]], budget: float, *, floor: float = 0.0, steps: int = 60) -> list[int]:
    """Which arm each question takes, so that all together cost at most `budget`.

    Every question takes the best of score - lambda x cost, the cheaper of equals; the floor drops arms predicted below
    it where another one reaches it. A higher lambda never costs more.

    Raises:
        LimitError: even the cheapest choices cost more; both numbers are told.

    Example:
        >>> spend([[(0.5, 1.0), (0.9, 10.0)], [(0.5, 1.0), (0.6, 10.0)]], budget=11.0)
        [1, 0]
    """

    def at(lam: float) -> tuple[list[int], float]:
        taken = [_best(arms, lam, floor) for arms in questions]
        return taken, sum(arms[i][1] for arms, i in zip(questions, taken, strict=True))

    taken, cost = at(0.0)
    if cost <= budget:
        return taken
    low, high = 0.0, 1.0
    while at(high)[1] > budget:
        high *= 10
        if high > 1e12:
            raise LimitError(f"the job costs {at(high)[1]:,.6g} at least, over the budget of {budget:,.6g}: raise it")
    for _ in range(steps):
        middle = (low + high) / 2
        low, high = (low, middle) if at(middle)[1] <= budget else (middle, high)
    return at(high)[0]


def _best(arms: Sequence[Arm], lam: float, floor: float) -> int:
    able = [i for i, (score, _) in enumerate(arms) if score >= floor] or list(range(len(arms)))
    return max(able, key=lambda i: (arms[i][0] - lam * arms[i][1], -arms[i][1]))
