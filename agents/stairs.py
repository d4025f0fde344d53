"""The estimate of steps of which every next one is taken only where the one before did not do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from ragctx.types import Budget, Estimate, Line, Range
from ragctx.types.costs import UNMETERED_ROLES


def stairs(
    first: Estimate, later: Sequence[Estimate], chances: Sequence[float], budget: Budget | None, notes: Sequence[str]
) -> Estimate:
    """At least the first step, at most all of them or the budget.

    What is expected is what most questions take, so a step counts there if more than half of them come to it. The mean
    is told in a note, as a person who pays for many questions wants to know it.

    Args:
        first: the step that is always taken.
        later: the others in their order.
        chances: for each of them, how often it is taken where the one before it was; more may be given.
        budget: the steps keep within it, so it is the high end where they would take more.
        notes: besides those of the steps.

    Example:
        >>> cheap, dear = (Estimate.exactly(prompt=p, output=(1, 1, 1)) for p in (100, 900))
        >>> made = stairs(cheap, [dear], [0.3], None, ())
        >>> made.prompt, made.notes
        (Range(low=100, expected=100, high=1000), ('one question in 3 goes further: 371 tokens on average',))
    """
    reached, lines, mean = 1.0, list(first.lines), first.tokens.expected
    for estimate, chance in zip(later, chances, strict=False):
        reached *= chance
        mean += reached * estimate.tokens.expected
        lines += [_perhaps(line, likely=reached > 0.5) for line in estimate.lines]
    told = [*first.notes, *notes]
    if later:
        told.append(f"one question in {1 / max(chances[0], 0.01):.0f} goes further: {mean:,.0f} tokens on average")
    whole = Estimate(tuple(lines), exact=first.exact and not later, notes=tuple(dict.fromkeys(told)))
    return _within(whole, first, budget)


def _perhaps(line: Line, *, likely: bool) -> Line:
    """A line that may be nothing at all."""
    bounds = (Range(0, one.expected if likely else 0, one.high) for one in (line.prompt, line.output, line.calls))
    return Line(line.role, *bounds)


def _within(whole: Estimate, first: Estimate, budget: Budget | None) -> Estimate:
    """The estimate with its high end lowered to a budget, which the later steps keep within."""
    if budget is None:
        return whole
    sure, later = list(first.lines), list(whole.lines[len(first.lines) :])
    if budget.tokens is not None:
        over = whole.tokens.high - budget.tokens
        later, over = _lowered(later, "prompt", over)
        later, _ = _lowered(later, "output", over)
    if budget.calls is not None:
        later, _ = _lowered(later, "calls", whole.calls.high - budget.calls)
    return replace(whole, lines=(*sure, *later))


def _lowered(lines: list[Line], what: Literal["prompt", "output", "calls"], over: float) -> tuple[list[Line], float]:
    """Lines with so much less at their high ends, the last first; and what is still too much."""
    made: list[Line] = []
    for line in reversed(lines):
        one: Range = getattr(line, what)
        cut = max(0.0, min(over, one.high - one.expected)) if line.role not in UNMETERED_ROLES else 0.0
        over -= cut
        lower = replace(one, high=one.high - cut)
        if what == "prompt":
            made.append(replace(line, prompt=lower))
        elif what == "output":
            made.append(replace(line, output=lower))
        else:
            made.append(replace(line, calls=lower))
    return made[::-1], over
