"""Predictors that are fitted, written, read back and spent by."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragctx.errors import ConfigError, InputError, LimitError
from ragctx.routing.fitting import Outcome, fit
from ragctx.routing.predictors import Predictors
from ragctx.routing.spending import spend


def outcomes() -> list[Outcome]:
    facts = [
        Outcome(f"f{i}", "fact", "small", {"words": 5.0 + i % 3}, {"full": 0.4, "retrieve": 0.8}) for i in range(30)
    ]
    rest = [
        Outcome(f"c{i}", "compare", "big", {"words": 20.0 + i % 3}, {"full": 0.9, "retrieve": 0.3}) for i in range(30)
    ]
    return facts + rest


def test_the_better_strategy_of_each_kind_is_predicted() -> None:
    pytest.importorskip("sklearn")
    fitted = fit(outcomes(), ["words"])
    short, long = (fitted.scores({"words": words}, "unknown reader") for words in (5.0, 21.0))
    assert short["retrieve"] > short["full"]
    assert long["full"] > long["retrieve"]
    assert Predictors.from_json(fitted.to_json()) == fitted


def test_a_changed_or_foreign_file_is_refused() -> None:
    pytest.importorskip("sklearn")
    raw = json.loads(fit(outcomes(), ["words"]).to_json())
    for change, said in (({"version": 9}, "version 9"), ({"digest": "0"}, "hash")):
        with pytest.raises(ConfigError, match=said):
            Predictors.from_json(json.dumps(raw | change))
    with pytest.raises(ConfigError, match="not JSON"):
        Predictors.from_json("no")


@pytest.mark.parametrize(("rows", "said"), [
    ([], "no row"),
    (outcomes()[:30], "two kinds"),
    ([Outcome("q", "fact", "r", {}, {"full": 1.5})], "row 1"),
])  # fmt: skip
def test_rows_that_cannot_be_fitted_are_named(rows: list[Outcome], said: str) -> None:
    with pytest.raises(InputError, match=said):
        fit(rows, ["words"])


@given(
    st.lists(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 9)), min_size=1, max_size=4), min_size=1, max_size=8)
)
def test_a_job_never_costs_more_than_its_budget(questions: list[list[tuple[float, float]]]) -> None:
    least = sum(min(cost for _, cost in arms) for arms in questions)
    taken = spend(questions, least * 1.5)
    assert sum(arms[i][1] for arms, i in zip(questions, taken, strict=True)) <= least * 1.5
    with pytest.raises(LimitError):
        spend(questions, least * 0.5)
