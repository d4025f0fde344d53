"""A job's budget goes where it brings most, within every question's own limits."""

from __future__ import annotations

import pytest

from ragctx.errors import ConfigError, LimitError
from ragctx.routing import Policy, decide
from ragctx.routing.spending import within
from ragctx.types import Budget, Candidate, Decision, Estimate, Question, Range


def arm(name: str, quality: float, tokens: float, rejected: str = "") -> Candidate:
    estimate = Estimate.exactly(prompt=tokens, output=(0, 0, 0))
    return Candidate(name, estimate, quality, tokens / 1000, quality, rejected)


def made(gain: float, *, out: str = "") -> Decision:
    """Reading everything brings so much more, at ten times the tokens."""
    part = arm("retrieve", 0.5, 100, out or "score 0.5 against 0.9: quality -0.4, cost -0.9")
    return Decision("full", "single fact", {}, (arm("full", 0.5 + gain, 1000), part), "p", 0.0)


def total(decisions: list[Decision]) -> float:
    return sum(d.chosen.estimate.tokens.expected for d in decisions)


def test_money_goes_where_it_brings_most() -> None:
    every = [made(0.1), made(0.4), made(0.2), made(0.3)]
    found = within(every, 2200)
    assert [d.strategy for d in found] == ["retrieve", "full", "retrieve", "full"]
    assert total(found) == 2200
    assert "keeps the job within 2,200 tokens" in found[0].why
    assert found[0].chosen.rejected == ""
    assert found[0].rejected[0].rejected.startswith("score")
    assert found[1] is every[1]


def test_a_job_that_is_within_stays_as_it_was_decided() -> None:
    every = [made(0.1), Decision("", "nothing fits")]
    assert within(every, 1000) == every


def test_what_is_out_for_its_own_reasons_is_not_taken() -> None:
    with pytest.raises(LimitError, match=r"costs 1,?100 at least, over the budget of 1,?050"):
        within([made(0.1), made(0.1, out="needs 9 tokens, window 8")], 1050)
    [one, two] = within([made(0.1), made(0.4, out="needs 9 tokens, window 8")], 1500)
    assert (one.strategy, two.strategy) == ("retrieve", "full")


def test_less_than_the_cheapest_is_refused_with_both_numbers() -> None:
    with pytest.raises(LimitError, match="costs 200 at least, over the budget of 150"):
        within([made(0.1), made(0.2)], 150)


@pytest.mark.parametrize("budget", [Budget(), Budget(seconds=3), Budget(tokens=1, money=1.0)])
def test_a_budget_of_something_else(budget: Budget) -> None:
    with pytest.raises(ConfigError, match="tokens or of money"):
        within([made(0.1)], budget)


def test_money_needs_prices() -> None:
    with pytest.raises(ConfigError, match="no known price"):
        within([made(0.1)], Budget(money=1.0))


def test_real_decisions_in_money(corpus, priced, two) -> None:
    asked = [Question("How many tenants signed, and when did each of them do so?", id=str(n)) for n in range(4)]
    every = [decide(q, corpus, priced, two, Policy.load(), 0.0) for q in asked]
    assert {d.strategy for d in every} == {"full"}
    spent = sum(d.chosen.estimate.money.expected for d in every)
    found = within(every, Budget(money=0.6 * spent))
    assert sum(d.chosen.estimate.money.expected for d in found) <= 0.6 * spent
    assert "retrieve" in {d.strategy for d in found}
    assert isinstance(found[0].chosen.estimate.money, Range)
