"""Terminal views of a plan: the whole of it, and one line a question."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from ragctx.types import Candidate, Estimate, Range
from ragctx.views.answers import UNASKED
from ragctx.views.numbers import UNKNOWN, count, money, seconds, spread, whole
from ragctx.views.text import DIM, STRONG, WARN, block, hanging, notes, numbered, one_line, table

if TYPE_CHECKING:
    from ragctx.routing import Plan, PlanRow

SHOWN = 48
# Strategies whose rejection is told below a question, the best first; the others are named, and told in full by
# `ragctx explain`, in HTML and in JSON.
_REJECTED = 3
Refusals = Mapping[str, Sequence[str]]


def plan(value: Plan) -> RenderableType:
    """For each question the strategy, its cost and why; the others' rejections; the totals."""
    parts: list[RenderableType] = []
    total, common, out = len(value.rows), repeated(value), refusals(value)
    for number, row in enumerate(value.rows, 1):
        parts += [numbered(number, total, row.question.text), *_planned(row, common, out, len(f"{total}. "))]
        parts.append(Text(""))
    return Group(*parts, hanging(totals(value), STRONG), *notes([*value.notes, *common, *told(out)]))


def refusals(value: Plan) -> Refusals:
    """Reasons that put the same strategies out of several rows whatever is asked there: they are said once for all."""
    out = Tally(
        (candidate.rejected, candidate.strategy)
        for row in value.rows
        for candidate in row.decision.rejected
        if row.decision.strategy and candidate.rejected and not candidate.estimate.lines
    )
    found: dict[str, list[str]] = {}
    for (reason, strategy), times in out.items():
        if times > 1:
            found.setdefault(reason, []).append(strategy)
    return found


def told(out: Refusals) -> list[str]:
    """Those reasons as notes."""
    return [f"not {either(names)}: {reason}" for reason, names in out.items()]


def either(names: Sequence[str]) -> str:
    """Names in a row: "a", "a or b", "a, b or c"."""
    *ahead, last = names
    return f"{', '.join(ahead)} or {last}" if ahead else last


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
        *([f"{spread(sums.tokens)} tokens", _calls(sums.calls)] if sums.calls.high else [UNASKED]),
        f"{seconds(sums.seconds.expected)} of model time" if sums.seconds else "time unknown",
    ]
    parts += [f"money {money(sums.money.expected)} (at most {money(sums.money.high)})"] if sums.money else []
    unread = sum(not row.decision.strategy for row in value.rows)
    parts += [f"{whole(unread)} that no strategy can read"] if unread else []
    return ", ".join(parts) + ". Nothing is spent yet."


def bill(estimate: Estimate) -> str:
    """What one question costs by one strategy."""
    if estimate.lines and not estimate.calls.high:
        reads = (f"{line.role} reads {spread(line.prompt)} tokens" for line in estimate.lines)
        return ", ".join([UNASKED, *reads, *([_seconds(estimate)] if estimate.seconds else [])])
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


def _planned(row: PlanRow, common: Sequence[str], out: Refusals, by: int) -> Iterator[RenderableType]:
    estimate, decision = row.estimate, row.decision
    if decision.strategy:
        yield block(Text(decision.strategy, "green") + Text(f": {bill(estimate)}"), by=by)
    yield block(decision.why, DIM if decision.strategy else WARN, by)
    said = [c for c in decision.rejected if decision.strategy and c.rejected not in decision.why and not among(c, out)]
    for candidate in said[:_REJECTED]:
        yield block(f"not {candidate.strategy}: {rejection(candidate)}", DIM, by)
    if left := [candidate.strategy for candidate in said[_REJECTED:]]:
        yield block(f"nor {', '.join(left)}", DIM, by)
    for note in [note for note in estimate.notes if note not in common]:
        yield block(f"note: {note}", DIM, by)


def among(candidate: Candidate, out: Refusals) -> bool:
    """Whether a strategy's reason is said once for all."""
    return candidate.strategy in out.get(candidate.rejected, ())


def rejection(candidate: Candidate) -> str:
    """Why a strategy was not taken, and what it would have cost where the reason does not say it."""
    tokens = candidate.estimate.tokens.expected
    cost = f" ({whole(tokens)} tokens)" if tokens and whole(tokens) not in candidate.rejected else ""
    return f"{candidate.rejected or 'lower score'}{cost}"
