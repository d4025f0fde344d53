"""Cost against reading everything, and budgets in words."""

from __future__ import annotations

import pytest

from ragctx.models import Models
from ragctx.routing.costs import figure, measure, over_budget, relative, tightest, with_speed_note
from ragctx.types import Budget, Estimate, Line, Range


def estimate(prompt: int, output: tuple[int, int, int] = (0, 50, 100), calls: int = 1) -> Estimate:
    return Estimate.exactly(prompt=prompt, output=output, calls=calls)


def test_money_before_seconds_before_tokens(priced: Models, models: Models) -> None:
    part, whole = priced.price(estimate(200)), priced.price(estimate(1000))
    assert measure([part], whole) == "money"
    assert relative(part, whole, "money") == pytest.approx((200 * 2 + 50 * 8) / (1000 * 2 + 50 * 8), abs=1e-4)
    assert measure([models.price(estimate(200))], whole) == "tokens"
    assert relative(part, whole, "tokens") == pytest.approx(250 / 1050, abs=1e-4)


def test_free_models_are_compared_by_seconds(priced: Models) -> None:
    from dataclasses import replace

    from ragctx.types import Prices

    free = Models({"reader": replace(priced.reader, prices=Prices(0.0, 0.0))})
    part, whole = free.price(estimate(200)), free.price(estimate(1000))
    assert measure([part], whole) == "seconds"
    assert relative(part, whole, "seconds") == pytest.approx((0.1 + 0.2 + 1.0) / (0.1 + 1.0 + 1.0), abs=1e-4)


def test_an_empty_whole_costs_nothing() -> None:
    assert relative(estimate(0, (0, 0, 0)), estimate(0, (0, 0, 0)), "tokens") == 0.0


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        (Budget(), ""),
        (Budget(tokens=1100), ""),
        (Budget(tokens=1099), "may need 1,100 tokens, budget 1,099"),
        (Budget(calls=2), "may need 3 calls, budget 2"),
        (Budget(seconds=1.0), "may need 3.3 seconds, budget 1"),
        (Budget(money=0.001), "may need 0.0028 in money, budget 0.001"),
        (Budget(money=1.0, seconds=60, tokens=5000, calls=3), ""),
    ],
)
def test_the_high_end_must_stay_within_every_ceiling(priced: Models, budget: Budget, told: str) -> None:
    assert over_budget(priced.price(estimate(1000, calls=3)), budget) == told


def test_ceilings_that_cannot_be_checked(models: Models) -> None:
    unknown = models.price(estimate(1000))
    assert "no price is known" in over_budget(unknown, Budget(money=1.0))
    assert over_budget(unknown, Budget(seconds=0.001)) == ""
    assert "checked while reading" in with_speed_note(unknown, Budget(seconds=0.001)).notes[0]
    assert with_speed_note(unknown, Budget(tokens=1)).notes == ()


def test_the_tighter_ceiling_of_each_kind_holds() -> None:
    both = tightest(Budget(tokens=500, calls=9), Budget(tokens=900, seconds=3.0), None)
    assert both == Budget(tokens=500, calls=9, seconds=3.0)
    assert tightest(None, None) == Budget()


@pytest.mark.parametrize(
    ("prompt", "budget", "told"),
    [
        (8_278_260, Budget(tokens=8_000_000), "may need 8,278,260 tokens, budget 8,000,000"),
        (10, Budget(calls=0), "may need 1 call, budget 0"),
    ],
)
def test_figures_are_written_out(prompt: int, budget: Budget, told: str) -> None:
    assert over_budget(estimate(prompt, (0, 0, 0)), budget) == told


@pytest.mark.parametrize("value", [0.00000012, 0.000312, 1, 12.5, 99_999.5, 100_000.4, 8_278_260, 1e9 + 0.5, 1e12])
def test_no_figure_is_a_power_of_ten(value: float) -> None:
    assert "e" not in figure(value)
    assert float(figure(value).replace(",", "")) == pytest.approx(value, rel=1e-5)


def test_a_fraction_over_the_budget_is_not_rounded_to_it() -> None:
    over = Estimate((Line("reader", Range(0, 100, 100.4), Range.exactly(0), Range.exactly(1)),))
    assert over_budget(over, Budget(tokens=100)) == "may need 101 tokens, budget 100"
