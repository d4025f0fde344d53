"""The computation allocation model finds the weights that made the runs, and says what it cannot know."""

from __future__ import annotations

import math
import random
from itertools import product

import pytest

from ragctx.agents.computation import Allocation, Run, Setting
from ragctx.errors import ConfigError, LimitError, UnknownName

GRID = list(product((0, 1, 2, 5, 10, 20), (0, 1, 4), (1, 2, 4)))
A, B, C = (0.3, 0.1, 0.25), (2.0, 1.5), -1.4
GAINS = {"hops": (0.2, 0.1), "facts": (0.35, 0.02)}


def truth(k: int, m: int, n: int, data: str) -> float:
    document, shot = GAINS[data]
    raised = (A[0] + B[0] * document) * math.log1p(k) + (A[1] + B[1] * shot) * math.log1p(m) + A[2] * math.log(n) + C
    return 1 / (1 + math.exp(-raised))


def tokens(k: int, m: int, n: int) -> float:
    return 90 * n + 150 * n * k + 40 * n * m + 150 * n * m * k


def runs(datas=("hops", "facts"), noise: float = 0.0) -> list[Run]:
    dice = random.Random(7)
    return [
        Run(k, m, n, min(1.0, max(0.0, truth(k, m, n, data) + dice.gauss(0, noise))), tokens(k, m, n), data)
        for data in datas
        for k, m, n in GRID
    ]


def test_it_finds_the_weights_that_made_the_runs() -> None:
    model = Allocation.fit(runs(), GAINS)
    assert model.a == pytest.approx(A, abs=1e-3)
    assert model.b == pytest.approx((*B, 0.0), abs=1e-2)
    assert model.c == pytest.approx(C, abs=1e-3)
    assert (model.r2, model.error) == pytest.approx((1.0, 0.0), abs=1e-3)
    assert model.notes == ()


def test_noise_is_told_by_the_fit_and_averaged_out() -> None:
    model = Allocation.fit(runs(noise=0.03), GAINS)
    assert 0.7 < model.r2 < 0.999
    assert 0.01 < model.error < 0.5
    for data, setting in product(GAINS, [(2, 1, 2), (10, 4, 4), (0, 0, 1)]):
        assert model.predict(Setting(*setting), data) == pytest.approx(truth(*setting, data), abs=0.04)


def test_gains_are_measured_where_they_are_not_given() -> None:
    model = Allocation.fit(runs())
    for data in GAINS:
        first = truth(1, 0, 1, data) - truth(0, 0, 1, data)
        assert model.gains[data][0] == pytest.approx(first)
    assert max(map(abs, model.b)) > 0


def test_runs_without_gains_are_fitted_without_them_and_say_so() -> None:
    model = Allocation.fit([run for run in runs() if run.documents])
    assert model.b == (0.0, 0.0, 0.0)
    assert any("(0, 0, 1)" in note for note in model.notes)
    assert 0 < model.predict(Setting(5, 1, 2)) < 1


def test_one_data_set_cannot_tell_what_its_gain_is_worth() -> None:
    model = Allocation.fit(runs(("hops",)), {"hops": GAINS["hops"]})
    assert model.b == (0.0, 0.0, 0.0)
    assert any("b is zero" in note for note in model.notes)
    assert model.predict(Setting(5, 1, 2), "hops") == pytest.approx(truth(5, 1, 2, "hops"), abs=1e-3)


def test_the_best_setting_is_the_best_of_those_that_fit() -> None:
    model = Allocation.fit(runs(), GAINS)
    for budget in (100, 700, 3_000, 12_000, 10**6):
        choice = model.best(budget, "hops")
        within = [setting for setting in GRID if tokens(*setting) <= budget * (1 + 1e-6)]
        assert truth(*choice.setting, "hops") == pytest.approx(max(truth(*s, "hops") for s in within), abs=1e-4)
        assert choice.tokens == pytest.approx(tokens(*choice.setting), rel=0.01)
        assert choice.score == pytest.approx(model.predict(choice.setting, "hops"))


def test_more_tokens_never_make_it_worse() -> None:
    model = Allocation.fit(runs(noise=0.02), GAINS)
    scores = [model.best(budget).score for budget in range(200, 40_000, 400)]
    assert scores == sorted(scores)


def test_values_and_costs_of_ones_own() -> None:
    model = Allocation.fit(runs(), GAINS)
    assert model.best(10**9, documents=(3,), shots=(0,), iterations=(1, 2)).setting == (3, 0, 2)
    assert model.best(10, cost=lambda setting: setting.documents).setting.documents == 10


def test_equal_scores_take_the_cheaper_setting() -> None:
    flat = Allocation(a=(0.0, 0.0, 0.0), c=0.0, tried=((0, 1, 5), (0, 1), (1, 2)), costs=(10.0, 5.0, 0.0, 1.0, 0.0))
    assert flat.best(1000).setting == (0, 0, 1)


def test_a_budget_below_everything_is_refused_with_both_numbers() -> None:
    with pytest.raises(LimitError, match=r"about 90 tokens, more than the 50"):
        Allocation.fit(runs(), GAINS).best(50)


def test_scores_of_nought_and_one_are_no_trouble() -> None:
    model = Allocation.fit([Run(0, 0, 1, 0.0), Run(1, 0, 1, 0.4), Run(5, 0, 1, 1.0), Run(10, 0, 1, 1.0)])
    assert 0 < model.predict(Setting(0)) < model.predict(Setting(10)) < 1


def test_a_factor_that_never_varied_is_not_guessed() -> None:
    model = Allocation.fit([run for run in runs(("hops",)) if run.shots == 0])
    assert model.a[1] == 0
    assert any("shots was 0" in note for note in model.notes)
    with pytest.raises(ConfigError, match="shots was 0 in every run"):
        model.predict(Setting(5, 2, 1))
    with pytest.raises(ConfigError, match="shots was 0 in every run"):
        model.best(10**6, shots=(0, 1))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "0 runs are too few"),
        ([Run(1, 0, 1, 0.3), Run(5, 0, 1, 0.5)], "2 runs are too few: 3"),
        ([Run(k, m, n, 0.1 * k) for k, m, n in [(1, 0, 1), (2, 1, 2), (3, 0, 2), (4, 1, 1)]], "4 runs are too few: 5"),
        ([Run(5, 0, 1, s) for s in (0.3, 0.4, 0.5)], "every run is of (5, 0, 1)"),
        ([Run(k, 0, 1, 0.5) for k in (1, 2, 5)], "every run scored 0.5"),
        ([Run(k, k, 1, 0.1 * k) for k in (0, 1, 2, 4, 8)], "documents and shots always change together"),
    ],
)  # fmt: skip
def test_runs_that_teach_nothing_are_refused_with_what_to_add(given: list[Run], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Allocation.fit(given)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"documents": -1}, {"shots": -1}, {"iterations": 0}, {"score": 1.5}, {"score": math.nan}, {"tokens": 0},
        {"tokens": math.inf}, {"tokens": math.nan},
    ],
)  # fmt: skip
def test_a_run_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="is no run"):
        Run(**{"documents": 1, "shots": 0, "iterations": 1, "score": 0.5} | wrong)  # type: ignore[arg-type]


def test_unknown_data_sets_and_missing_costs() -> None:
    model = Allocation.fit(runs(), GAINS)
    with pytest.raises(UnknownName, match="did you mean 'hops'"):
        model.predict(Setting(1), "hop")
    with pytest.raises(ConfigError, match="gains are missing for 'facts'"):
        Allocation.fit(runs(), {"hops": (0.1, 0.1)})
    with pytest.raises(ConfigError, match="no run says how many tokens"):
        Allocation.fit([Run(k, 0, 1, 0.1 + 0.05 * k) for k in (0, 1, 5)]).best(1000)


def test_json_both_ways() -> None:
    model = Allocation.fit(runs(noise=0.02), GAINS)
    assert Allocation.from_json(model.to_json()) == model
    with pytest.raises(ConfigError, match="no allocation model"):
        Allocation.from_json('{"a": 1}')
