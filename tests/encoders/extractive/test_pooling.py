"""Units are the means of their tokens, seen by the window that shows most around them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragctx.encoders.extractive.calibration import Calibration, sigmoid
from ragctx.encoders.extractive.pooling import Sight, means
from ragctx.encoders.extractive.stretches import best
from ragctx.work import Stretch


def pooled(units, sights, count):
    first, last = np.array(units, int).reshape(-1, 2).T
    return means(first, last, sights, count).tolist()


def test_one_window():
    sight = Sight(0, 4, np.array([0.2, 0.4, 0.6, 0.8]))
    assert pooled([(0, 4), (0, 1), (1, 3), (2, 2)], [sight], 4) == pytest.approx([0.5, 0.2, 0.5, 0.0])
    assert pooled([], [sight], 4) == []


def test_the_window_that_shows_most_around_decides():
    sights = [Sight(0, 6, np.zeros(6)), Sight(4, 10, np.ones(6))]
    assert pooled([(0, 2), (4, 5), (5, 6), (8, 10)], sights, 10) == [0.0, 0.0, 1.0, 1.0]


def test_a_unit_that_one_window_cuts_is_taken_from_the_one_that_does_not():
    sights = [Sight(0, 6, np.zeros(6)), Sight(4, 10, np.ones(6))]
    assert pooled([(4, 8)], sights, 10) == [1.0]


def test_a_unit_longer_than_any_window_is_the_mean_of_all():
    sights = [Sight(0, 6, np.zeros(6)), Sight(4, 10, np.ones(6))]
    assert pooled([(0, 10)], sights, 10) == [0.5]
    assert pooled([(1, 9)], sights, 10) == [0.5]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.data())
def test_one_window_is_the_plain_mean(keep, data):
    ends = data.draw(st.lists(st.tuples(st.integers(0, len(keep)), st.integers(0, len(keep))), max_size=5))
    units = [(min(pair), max(pair)) for pair in ends]
    wanted = [float(np.mean(keep[a:b])) if b > a else 0.0 for a, b in units]
    assert pooled(units, [Sight(0, len(keep), np.array(keep))], len(keep)) == pytest.approx(wanted)


stretches = st.builds(lambda a, n, p: Stretch(a, a + n, p), st.integers(0, 30), st.integers(0, 9), st.floats(0, 1))


@given(st.lists(stretches, max_size=15), st.integers(0, 5))
def test_the_best_stretches_do_not_overlap(found, count):
    chosen = best(found, count)
    assert len(chosen) <= count
    assert set(chosen) <= set(found)
    assert [s.probability for s in chosen] == sorted((s.probability for s in chosen), reverse=True)
    assert all(a.end <= b.start or b.end <= a.start for i, a in enumerate(chosen) for b in chosen[:i])
    real = [s for s in found if s.start < s.end]
    if real and count:
        assert chosen[0].probability == max(s.probability for s in real)


def test_calibration_is_what_the_card_says():
    made = Calibration.parsed(
        {
            "relevance": [2, 1],
            "keep": {"mean": 1, "stretch": 0.5, "intercept": 0},
            "answer": {"score": 0.5, "relevance": 0.25, "intercept": -1},
        }
    )
    assert made.relevant(0.5) == pytest.approx(1 / (1 + np.exp(-2)))
    assert made.kept(np.array([0.0, 0.3, 1.0]), np.zeros(3)) == pytest.approx([1e-4, 0.3, 1 - 1e-4])
    assert made.kept(np.array([0.5, 0.5]), np.array([2.0, -np.inf])) == pytest.approx([sigmoid(1), sigmoid(-3.5)])
    assert made.odds(4, -4) == pytest.approx(0.0)
    assert made.answers(4, -4) == pytest.approx(0.5)


@given(st.floats(allow_nan=False))
def test_no_logit_overflows(logit):
    with np.errstate(all="raise", under="ignore"):
        assert 0 <= sigmoid(logit) <= 1
