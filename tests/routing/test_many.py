"""Predictors over many rows say what they say of each."""

from __future__ import annotations

from itertools import product

import pytest

from ragctx.routing.many import scores, seen
from ragctx.routing.predictors import MEAN, Predictors, Regressor

KINDS = ("fact", "list", "other")
TABLE = {
    MEAN: {"full": (0.5, 0.75, 0.2), "retrieve": (0.75, 0.25, 0.4)},
    "small": {"full": (0.1, 0.2, 0.3), "retrieve": (0.9, 0.8, 0.7)},
    "half": {"full": (0.3, 0.3, 0.9)},
}
LINE = Regressor(0.1, 0.7, (0.05, -0.2), ((0.1, 0.0), (0.3, 0.4), (0.9, 0.8)))
SIGNALS = [{}, {"words": 3.0}, {"words": 40.0, "gap": 0.9}, {"gap": -2.0}, {"words": 9.0, "gap": 0.1, "more": 1.0}]


def fitted(regressors):
    weights = ((-1.0, 0.5), (2.0, 0.1), (0.3, -4.0))
    return Predictors(("words", "gap"), (8.0, 0.4), (4.0, 0.2), KINDS, (0.1, 0.0, -0.3), weights, TABLE, regressors)


@pytest.mark.parametrize("regressors", [{}, {"full": LINE}, {"full": LINE, "retrieve": LINE}])
def test_many_rows_are_scored_as_each_is(regressors):
    made, known = fitted(regressors), ("small", MEAN, "never measured")
    pairs = list(product(SIGNALS, known))
    said = scores(made, [row for row, _ in pairs], [reader for _, reader in pairs])
    for at, (row, reader) in enumerate(pairs):
        assert {arm: said[arm][at] for arm in said} == pytest.approx(made.scores(row, reader))


def test_signals_and_the_cold_start_are_those_of_single_rows():
    made = fitted({})
    near, cold = seen(made, SIGNALS, ["small"] * len(SIGNALS))
    for at, row in enumerate(SIGNALS):
        assert near[at].tolist() == pytest.approx(made.near(row))
        assert {arm: cold[arm][at] for arm in cold} == pytest.approx(made.cold(row, "small"))


def test_a_strategy_that_a_reader_never_ran_is_read_off_the_mean():
    assert scores(fitted({}), [{}], ["half"])["retrieve"] == pytest.approx([fitted({}).cold({})["retrieve"]])


def test_no_signals_and_no_rows():
    bare = Predictors((), (), (), ("any",), (0.0,), ((),), {MEAN: {"full": (0.5,)}})
    assert scores(bare, [{}, {"words": 1.0}], ["m", "m"])["full"].tolist() == [0.5, 0.5]
    assert scores(bare, [], [])["full"].tolist() == []
