"""A budget for a whole job: the smallest lambda at which its choices cost no more, found by bisection."""

from __future__ import annotations

from collections.abc import Sequence

from ragctx.errors import ConfigError, LimitError
from ragctx.routing.costs import figure
from ragctx.routing.decide import able, switched
from ragctx.types import Budget, Candidate, Decision

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


def within(decisions: Sequence[Decision], total: int | Budget, *, floor: float = 0.0) -> list[Decision]:
    """The decisions of a job, so that all together are expected to spend at most `total`.

    As they are where they already do; else money goes where it brings most, question by question. Those without a
    strategy stay as they are and cost nothing.

    Args:
        decisions: of the whole job, as the router made them.
        total: tokens, or a budget of tokens or of money.
        floor: of the policy.

    Raises:
        LimitError: even the cheapest strategies of all questions cost more. ConfigError: a budget of something else, of
            both, or of money where a price is not known.
    """
    unit, most = _unit(Budget.of(total))
    arms = [able(decision) if decision.strategy else () for decision in decisions]
    open_ = [at for at, candidates in enumerate(arms) if candidates]
    costs = {at: [(c.quality, _cost(c, unit)) for c in arms[at]] for at in open_}
    if sum(_cost(c, unit) for at in open_ if (c := decisions[at].chosen)) <= most:
        return list(decisions)
    made, place = list(decisions), spend([costs[at] for at in open_], most, floor=floor)
    for at, index in zip(open_, place, strict=True):
        if (to := arms[at][index]).strategy != decisions[at].strategy:
            why = f"{to.strategy} keeps the job within {figure(most)} {unit}; alone: {decisions[at].why}"
            made[at] = switched(decisions[at], to, why)
    return made


def _unit(total: Budget | None) -> tuple[str, float]:
    given = [
        (name, most)
        for name in ("tokens", "money", "seconds", "calls")
        if (most := getattr(total, name, None)) is not None
    ]
    if len(given) != 1 or given[0][0] not in {"tokens", "money"}:
        raise ConfigError("a job's budget is one of tokens or of money: give exactly one of them")
    return given[0]


def _cost(candidate: Candidate, unit: str) -> float:
    spent = getattr(candidate.estimate, unit)
    if spent is None:
        raise ConfigError(
            f"{candidate.strategy} has no known price: give the reader's prices, or a job's budget in tokens"
        )
    return float(spent.expected)


def _best(arms: Sequence[Arm], lam: float, floor: float) -> int:
    able = [i for i, (score, _) in enumerate(arms) if score >= floor] or list(range(len(arms)))
    return max(able, key=lambda i: (arms[i][0] - lam * arms[i][1], -arms[i][1]))
