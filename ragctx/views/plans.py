"""Terminal views of a plan: the whole of it, and one line a question."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from ragctx.types import Candidate, Estimate, Range
from ragctx.views.numbers import UNKNOWN, count, money, seconds, spread, whole
from ragctx.views.text import DIM, STRONG, WARN, block, hanging, notes, numbered, one_line, table

if TYPE_CHECKING:
    from ragctx.routing import Plan, PlanRow

SHOWN = 48


def plan(value: Plan) -> RenderableType:
    """For each question the strategy, its cost and why; the others' rejections; the totals."""
    parts: list[RenderableType] = []
    total, common = len(value.rows), repeated(value)
    for number, row in enumerate(value.rows, 1):
        parts += [numbered(number, total, row.question.text), *_planned(row, common, len(f"{total}. "))]
        parts.append(Text(""))
    return Group(*parts, hanging(totals(value), STRONG), *notes([*value.notes, *common]))


def repeated(value: Plan) -> list[str]:
    """Notes of several rows, which are said once for all."""
    said = Tally(note for row in value.rows for note in dict.fromkeys(row.estimate.notes))
    return [note for note, times in said.items() if times > 1 and note not in value.notes]


def short(value: Plan) -> RenderableType:
    """One line a question: what is taken and what it costs."""
    columns = ["tokens", "time"] + (["money"] if value.totals.money else [])
    made = table("", "question", "strategy", *columns, numbers=("", *columns))
    for number, row in enumerate(value.rows, 1):
        estimate = row.estimate
        figures = [whole(estimate.tokens.expected), _seconds(estimate), money(_expected(estimate))]
        strategy = Text(row.decision.strategy) if row.decision.strategy else Text("none", WARN)
        made.add_row(str(number), Text(one_line(row.question.text, SHOWN)), strategy, *figures[: len(columns)])
    return Group(made, Text(""), hanging(totals(value), STRONG), *notes([*value.notes, *repeated(value)]))


def totals(value: Plan) -> str:
    """The bill of the whole plan in one sentence."""
    sums = value.totals
    parts = [
        count(len(value.rows), "question"),
        f"{spread(sums.tokens)} tokens",
        _calls(sums.calls),
        f"{seconds(sums.seconds.expected)} of model time" if sums.seconds else "time unknown",
    ]
    parts += [f"money {money(sums.money.expected)} (at most {money(sums.money.high)})"] if sums.money else []
    unread = sum(not row.decision.strategy for row in value.rows)
    parts += [f"{whole(unread)} that no strategy can read"] if unread else []
    return ", ".join(parts) + ". Nothing is spent yet."


def bill(estimate: Estimate) -> str:
    """What one question costs by one strategy."""
    parts = [f"{spread(estimate.tokens)} tokens", _calls(estimate.calls)]
    parts += [_seconds(estimate)] if estimate.seconds else []
    parts += [f"money {money(_expected(estimate))}"] if estimate.money else []
    return ", ".join(parts)


def _calls(calls: Range) -> str:
    return count(calls.expected, "call") if calls.low == calls.high else f"{spread(calls)} calls"


def _seconds(estimate: Estimate) -> str:
    return seconds(estimate.seconds.expected) if estimate.seconds else UNKNOWN


def _expected(estimate: Estimate) -> float | None:
    return estimate.money.expected if estimate.money else None


def _planned(row: PlanRow, common: Sequence[str], by: int) -> Iterator[RenderableType]:
    estimate, decision = row.estimate, row.decision
    if decision.strategy:
        yield block(Text(decision.strategy, "green") + Text(f": {bill(estimate)}"), by=by)
    yield block(decision.why, DIM if decision.strategy else WARN, by)
    for candidate in decision.rejected:
        if decision.strategy and candidate.rejected not in decision.why:
            yield block(f"not {candidate.strategy}: {rejection(candidate)}", DIM, by)
    for note in [note for note in estimate.notes if note not in common]:
        yield block(f"note: {note}", DIM, by)


def rejection(candidate: Candidate) -> str:
    """Why a strategy was not taken, and what it would have cost where the reason does not say it."""
    tokens = candidate.estimate.tokens.expected
    cost = f" ({whole(tokens)} tokens)" if tokens and whole(tokens) not in candidate.rejected else ""
    return f"{candidate.rejected or 'lower score'}{cost}"
