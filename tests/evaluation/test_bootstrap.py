from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragctx.evaluation import paired_bootstrap

scores = st.sampled_from([0.0, 0.25, 1.0, None])
rows = st.lists(st.tuples(scores, scores, st.sampled_from("abcdef")), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(rows, st.integers(0, 5))
def test_same_seed_same_result_and_the_interval_holds_the_difference(
    given: list[tuple[float | None, float | None, str]], seed: int
) -> None:
    ours, theirs, groups = (list(column) for column in zip(*given, strict=True))
    result = paired_bootstrap(ours, theirs, groups, resamples=300, seed=seed)
    assert result == paired_bootstrap(ours, theirs, groups, resamples=300, seed=seed)
    assert result.low <= result.difference <= result.high
    assert 0 < result.p <= 1
    assert result.failures == sum(score is None for score in [*ours, *theirs])
    zeroed = [[score or 0.0 for score in column] for column in (ours, theirs)]
    assert result.difference == pytest.approx(float(np.mean(zeroed[0]) - np.mean(zeroed[1])))


@settings(max_examples=30, deadline=None)
@given(rows)
def test_swapping_the_systems_flips_the_sign(given: list[tuple[float | None, float | None, str]]) -> None:
    ours, theirs, groups = (list(column) for column in zip(*given, strict=True))
    one, other = (paired_bootstrap(a, b, groups, resamples=300) for a, b in ((ours, theirs), (theirs, ours)))
    assert one.difference == pytest.approx(-other.difference)
    assert (one.low, one.high) == (pytest.approx(-other.high), pytest.approx(-other.low))
    assert one.p == other.p


def test_agrees_with_the_textbook_interval_where_documents_hold_one_question_each() -> None:
    rng = np.random.default_rng(7)
    ours, theirs = rng.normal(0.6, 0.2, 400), rng.normal(0.55, 0.2, 400)
    result = paired_bootstrap(ours.tolist(), theirs.tolist(), [str(i) for i in range(400)], resamples=20_000)
    gap = ours - theirs
    half = 1.96 * gap.std(ddof=1) / 20
    assert result.low == pytest.approx(gap.mean() - half, abs=0.002)
    assert result.high == pytest.approx(gap.mean() + half, abs=0.002)


def test_two_documents_by_hand() -> None:
    # Differences 1 and 0, one question each: a resample's mean is 0, 1/2, 1/2 or 1, so half of them lie 1/2 away.
    result = paired_bootstrap([1.0, 0.0], [0.0, 0.0], ["a", "b"], resamples=50_000, confidence=0.4)
    assert (result.difference, result.low, result.high) == (0.5, 0.5, 0.5)
    assert result.p == pytest.approx(0.5, abs=0.01)


def test_questions_of_one_document_are_not_independent_evidence() -> None:
    rng = np.random.default_rng(1)
    gains = np.repeat(rng.normal(0.05, 0.3, 20), 50)
    zeros = [0.0] * 1000
    by_document = paired_bootstrap(gains.tolist(), zeros, [str(i // 50) for i in range(1000)])
    by_row = paired_bootstrap(gains.tolist(), zeros, [str(i) for i in range(1000)])
    assert by_document.high - by_document.low > 4 * (by_row.high - by_row.low)


def test_equal_systems_give_a_p_of_one_and_a_sure_gain_a_small_one() -> None:
    groups = [str(i) for i in range(30)]
    same = paired_bootstrap([0.5] * 30, [0.5] * 30, groups)
    assert (same.difference, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)
    mixed = paired_bootstrap([1.0, 0.9] * 15, [0.0] * 30, groups)
    assert mixed.p < 0.001
    assert mixed.low > 0.9


def test_a_failure_counts_against_the_system_that_failed() -> None:
    result = paired_bootstrap([None, 1.0], [1.0, 1.0], ["a", "b"])
    assert result.difference == -0.5
    assert result.failures == 1


@pytest.mark.parametrize(
    ("ours", "theirs", "groups", "options"),
    [
        ([1.0], [1.0, 0.0], ["a"], {}),
        ([], [], [], {}),
        ([float("nan")], [0.0], ["a"], {}),
        ([1.0], [0.0], ["a"], {"resamples": 0}),
        ([1.0], [0.0], ["a"], {"confidence": 1.0}),
    ],
)
def test_what_cannot_be_compared_is_refused(
    ours: list[float], theirs: list[float], groups: list[str], options: dict[str, float]
) -> None:
    with pytest.raises(ValueError, match=r"need|finite"):
        paired_bootstrap(ours, theirs, groups, **options)
