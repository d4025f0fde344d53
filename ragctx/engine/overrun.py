"""Says when a budget was exceeded all the same: a ceiling is only as exact as the counts it is checked with."""

from __future__ import annotations

from ragctx.models import Models
from ragctx.types import Budget, Usage


def overrun(budget: Budget | None, usage: Usage, models: Models) -> tuple[str, ...]:
    """A note for each ceiling that was exceeded; none where the budget was kept.

    What a call may bill is reserved before it is made, so nothing is exceeded by a model that counts exactly and heeds
    `max_tokens`. An estimated count may be too low, and some models take no ceiling.

    Args:
        budget: of the question.
        usage: what it was billed.
        models: who was asked.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.types import Charge
        >>> usage = Usage((Charge("reader", "answer", "far", prompt=8_500, output=25),))
        >>> overrun(Budget(tokens=1_500), usage, Models({"reader": ModelFacts("far")}))
        ('the budget of 1,500 tokens was exceeded: 8,525 were billed; the counter of far is an estimate',)
    """
    if budget is None:
        return ()
    notes = []
    if budget.tokens is not None and usage.tokens > budget.tokens:
        notes.append(f"the budget of {budget.tokens:,} tokens was exceeded: {usage.tokens:,} were billed")
    if budget.money is not None and (usage.money or 0) > budget.money:
        notes.append(f"the budget of {budget.money:,.6g} in money was exceeded: {usage.money:,.6g} were billed")
    return tuple(f"{note}; {_why(usage, models)}" for note in notes)


def _why(usage: Usage, models: Models) -> str:
    asked = {charge.model: models.of(charge.role) for charge in usage.metered if models.has(charge.role)}
    guessing = [name for name, facts in asked.items() if not facts.counter.exact]
    if not guessing:
        return f"{' and '.join(asked) or 'the model'} billed more than it was asked to write, or counts otherwise"
    return " and ".join(f"the counter of {name} is an estimate" for name in guessing)
