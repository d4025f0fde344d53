"""Kept mass: from two log-sum-exps as from probabilities, and as a running figure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragctx.attention import BlockIndex

torch = pytest.importorskip("torch", reason="needs the extra local")


def test_shares_are_those_of_the_probabilities(shown, made, rows, monkeypatch):
    from ragctx.attention.selection import mass

    monkeypatch.setattr(mass, "SPAN", 100)
    seen = shown(700, 130)
    index = BlockIndex.masked([seen.extent], 2, [made(rows[0]).mask(seen)])
    keys = seen.keys.rows(0, 700).repeat_interleave(2, 1).double()
    for tile in range(seen.extent.tiles):
        place = seen.extent.tile(tile)[1] - 1
        chosen = [index.row(0, head, tile) for head in range(2)]
        chances = (
            torch.einsum("hd,khd->hk", seen.query[place - 130].double(), keys[: place + 1]) * seen.factor
        ).softmax(1)
        parts = torch.nn.functional.pad(chances, (0, -(place + 1) % 64)).unflatten(1, (-1, 64)).sum(2)
        wanted = [parts[head, chosen[head // 2]].sum() for head in range(4)]
        assert mass.shares(seen, place, chosen).tolist() == pytest.approx(wanted, abs=1e-5)


def test_rows_are_measured_where_no_cut_can_move_them(shown, made, rows):
    from dataclasses import replace

    from ragctx.attention import Extent
    from ragctx.attention.selection.mass import Masses

    seen = shown(1024)
    whole, cut = Masses(every=4), Masses(every=4)
    index = BlockIndex.masked([seen.extent], 2, [made(rows[0]).mask(seen)])
    whole.measure(seen, index)
    for begin in range(0, 1024, 192):
        end = min(begin + 192, 1024)
        part = replace(seen, extent=Extent(end - begin, end), query=seen.query[begin:end])
        cut.measure(part, BlockIndex.masked([part.extent], 2, [made(rows[0]).mask(part)]))
    assert whole.all.rows == cut.all.rows == 4 * 4
    assert whole.all.mean == pytest.approx(cut.all.mean)
    assert 0 < whole.all.percentile(5) <= whole.all.mean < 1
    assert list(whole.layers) == [0]


def test_everything_keeps_everything(shown):
    from ragctx.attention.selection.mass import Masses

    seen = shown(300)
    masses = Masses(every=1)
    masses.measure(seen, BlockIndex.dense([seen.extent], 2))
    assert masses.all.rows == 5 * 4
    assert masses.all.mean == pytest.approx(1.0)
    assert masses.all.percentile(5) == 0.999  # the last bin


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.integers(1, 99))
def test_a_percentile_is_that_of_the_rows(numbers, percent):
    from ragctx.attention.selection.mass import Kept

    one, other = Kept(), Kept()
    one.add(np.array(numbers[:20]))
    other.add(np.array(numbers[20:]))
    wanted = np.percentile(numbers, percent, method="inverted_cdf")
    assert (one + other).percentile(percent) == pytest.approx(wanted, abs=1.1e-3)
    assert (one + other).mean == pytest.approx(np.mean(numbers))
    assert Kept().mean == Kept().percentile(5) == 1.0
