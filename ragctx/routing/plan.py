"""A plan: what every question will cost and why, before anything is spent. Views render it, jobs freeze it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ragctx.errors import ConfigError, LimitError
from ragctx.routing.costs import figure
from ragctx.types import Candidate, Decision, Estimate, Question, Range


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One question and what was decided about it."""

    question: Question
    decision: Decision

    @property
    def estimate(self) -> Estimate:
        """What the chosen strategy is expected to spend; nothing where no strategy is within the limits."""
        chosen = self.decision.chosen
        return chosen.estimate if chosen else Estimate()

    @property
    def rejected(self) -> tuple[Candidate, ...]:
        """The strategies that were not taken, each with its reason."""
        return self.decision.rejected


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over the rows of a plan.

    Attributes:
        seconds: of one caller asking one question after the other; None where a reader's speed is not known.
        money: None where a price is not known.
    """

    tokens: Range
    calls: Range
    seconds: Range | None
    money: Range | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of many questions, in their order.

    Attributes:
        rows: one a question. notes: fall-backs and warnings that hold for every row.

    Example:
        >>> empty = Plan(())
        >>> len(empty), empty.totals.tokens.high, Plan.from_json(empty.to_json()) == empty
        (0, 0, True)
    """

    rows: tuple[PlanRow, ...]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[PlanRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> PlanRow:
        return self.rows[index]

    @property
    def totals(self) -> Totals:
        """Tokens, calls, seconds and money of all rows, each low, expected and high."""
        estimates = [row.estimate for row in self.rows]
        return Totals(
            tokens=_sum(estimate.tokens for estimate in estimates),
            calls=_sum(estimate.calls for estimate in estimates),
            seconds=_known_sum(estimate.seconds for estimate in estimates),
            money=_known_sum(estimate.money for estimate in estimates),
        )

    @property
    def frozen_hash(self) -> str:
        """Hash of the whole plan: two plans with the same hash are the same plan."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def must_cost_at_most(self, money: float) -> None:
        """Refuse a plan that may cost more than a ceiling for the whole job.

        Raises:
            LimitError: the high end of the plan is over the ceiling; both numbers are told.
            ConfigError: a reader has no known price, so that nothing can be promised.
        """
        total = self.totals.money
        if total is None:
            raise ConfigError("a ceiling in money needs the price of every model: give prices, or drop the ceiling")
        if total.high > money:
            raise LimitError(
                f"{len(self)} questions may cost {figure(total.high)} (expected {figure(total.expected)}), over the "
                f"ceiling of {figure(money)}: raise the ceiling, ask less, or raise lambda"
            )

    def to_json(self) -> str:
        """One line of JSON; a question's `answer_type`, a class, is not in it."""
        from ragctx.types.serial import dump

        return dump(self)

    def _repr_html_(self) -> str:
        from importlib import import_module

        # By name: the view stands on a higher floor, and only a notebook ever asks for it.
        html: str = import_module("ragctx.views.html").plan(self)
        return html

    @classmethod
    def from_json(cls, text: str | bytes) -> Plan:
        """The plan that `to_json` wrote.

        Raises:
            pydantic.ValidationError: the text is not such a plan.
        """
        from ragctx.types.serial import load

        return load(cls, text)


def _sum(ranges: Iterable[Range]) -> Range:
    return sum(ranges, Range.exactly(0))


def _known_sum(ranges: Iterable[Range | None]) -> Range | None:
    every = list(ranges)
    known = [value for value in every if value is not None]
    return _sum(known) if len(known) == len(every) else None
