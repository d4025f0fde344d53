"""A purse refuses before the call, with the numbers."""

from __future__ import annotations

import pytest

from ragctx.errors import BudgetSpent, DoesNotFit
from ragctx.models import ModelFacts
from ragctx.strategies.purse import Purse
from ragctx.strategies.standalone import Asked
from ragctx.types import Budget, Question
from ragctx.work import Completion, Failure

SMALL = ModelFacts("m", window=100)


def purse(**budget: int) -> Purse:
    return Purse.of(Question("Why?", budget=Budget(**budget)), SMALL)


def test_without_a_budget_only_the_window_counts() -> None:
    free = Purse.of(Question("Why?"), SMALL)
    assert free.left() is None
    assert free.allows(60, 40)
    assert not free.allows(61, 40)
    with pytest.raises(DoesNotFit, match="101 tokens"):
        free.check(61, 40)


def test_another_models_window_counts_where_it_is_asked() -> None:
    assert Purse.of(Question("Why?"), SMALL).allows(500, 40, facts=ModelFacts("large", window=1_000))


def test_tokens_are_spent_by_completions_and_failures() -> None:
    one = purse(tokens=100)
    one.paid(Completion("x", prompt_tokens=30, output_tokens=10))
    one.paid(Failure("empty", "said nothing", prompt_tokens=20))
    assert (one.left(), one.made) == (40, 2)
    one.check(30, 10)
    with pytest.raises(BudgetSpent, match="41 tokens, 40 left"):
        one.check(31, 10)


def test_a_last_call_is_kept_aside() -> None:
    assert purse(tokens=100).allows(40, 10, aside=50)
    assert not purse(tokens=100).allows(40, 11, aside=50)
    assert not purse(calls=1).allows(1, 1, aside=1)
    assert purse(calls=2).allows(1, 1, aside=1)


def test_a_whole_bill_is_refused_at_once() -> None:
    purse(tokens=60, calls=3).check_all([(10, 10)] * 3)
    with pytest.raises(BudgetSpent, match="80 tokens, 60 left"):
        purse(tokens=60).check_all([(10, 10)] * 4)
    with pytest.raises(BudgetSpent, match="4 calls, 3 left"):
        purse(calls=3).check_all([(10, 10)] * 4)


def test_making_a_question_standalone_was_a_call() -> None:
    asked = Asked(Question("Why?", budget=Budget(tokens=100, calls=2)), spent=30, notes=("read as: Why?",))
    after = Purse.after(asked, SMALL)
    assert (after.left(), after.calls_left()) == (70, 1)
