"""Kept mass: from two log-sum-exps as from probabilities, and as a running figure."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragctx.attention import BlockIndex, Extent
from ragctx.errors import ConfigError, InputError

torch = pytest.importorskip("torch", reason="needs the extra local")


def test_shares_are_those_of_the_probabilities(shown, made, rows, monkeypatch):
    from ragctx.attention.selection import mass

    monkeypatch.setattr(mass, "SPAN", 100)
    seen = shown(700, 130)
    index = BlockIndex.masked([seen.extent], 2, [made(rows[0]).mask(seen)])
    keys = seen.keys.rows(0, 700).repeat_interleave(2, 1).double()
    for place in (130, 191, 192, 199, 200, 201, 400, 699):
        tile = place // 64 - 2
        chosen = [index.row(0, head, tile) for head in range(2)]
        chances = (
            torch.einsum("hd,khd->hk", seen.query[place - 130].double(), keys[: place + 1]) * seen.factor
        ).softmax(1)
        parts = torch.nn.functional.pad(chances, (0, -(place + 1) % 64)).unflatten(1, (-1, 64)).sum(2)
        wanted = [float(parts[head, chosen[head // 2]].sum()) for head in range(4)]
        assert mass.shares(seen, place, chosen).tolist() == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("scale", [0.0, 0.3])
def test_shares_are_those_of_the_oracle_in_half_precision_and_in_pages(shown, made, rows, paged, scale):
    from ragctx.attention.merge import kept
    from ragctx.attention.reference import attend
    from ragctx.attention.selection.mass import shares

    seen = shown(500, 130, group=3)
    half = [seen.keys.rows(0, 500).bfloat16()]
    seen = replace(seen, query=seen.query.bfloat16(), keys=type(seen.keys)(half[0]), scale=scale)
    index = BlockIndex.masked([seen.extent], 2, [made(rows[0]).mask(seen)])
    full = attend(seen.query, half, half, BlockIndex.dense([seen.extent], 2), scale=scale).lse
    wanted = kept(attend(seen.query, half, half, index, scale=scale).lse, full)
    for held in (seen, paged(seen)):
        for place in (130, 320, 400, 499):
            chosen = [index.row(0, head, place // 64 - 2) for head in range(2)]
            assert shares(held, place, chosen).tolist() == pytest.approx(wanted[place - 130].tolist(), abs=1e-5)


@pytest.mark.parametrize(
    "cuts", [[160, 445, 666], [161, 446, 667], [1, 63, 64, 65, 600], [544, 545], [*range(192, 2048, 192)]]
)
def test_rows_are_measured_where_no_cut_can_move_them(shown, made, rows, cuts):
    from ragctx.attention.selection.mass import Masses

    seen, rule = shown(2048), made(rows[0])
    whole, cut = Masses(every=4), Masses(every=4)
    whole.measure(seen, BlockIndex.masked([seen.extent], 2, [rule.mask(seen)]))
    for begin, end in pairwise([0, *cuts, 2048]):
        part = replace(seen, extent=Extent(end - begin, end), query=seen.query[begin:end])
        cut.measure(part, BlockIndex.masked([part.extent], 2, [rule.mask(part)]))
    assert whole.all.rows == cut.all.rows == 8 * 4
    assert whole.all.mean == pytest.approx(cut.all.mean)
    assert (whole.all.bins == cut.all.bins).all()
    assert 0 < whole.all.percentile(5) <= whole.all.mean < 1


def test_places_are_far_from_where_chunks_end():
    from ragctx.attention.selection.mass import Masses

    places = list(Masses().places(Extent(32768, 32768)))
    assert len(places) == 32
    assert all(256 < place % 1024 < 1024 - 256 for place in places)  # the last rows of a chunk are dense
    assert len({place % 64 for place in places}) == 32


def test_a_request_is_measured_by_its_own_rows(shown, made, rows):
    from ragctx.attention.selection.mass import Masses

    seen = [shown(700, seed=1), shown(900, 64, seed=2)]
    mixed = BlockIndex.masked([each.extent for each in seen], 2, [made(rows[0]).mask(each) for each in seen])
    for request, each in enumerate(seen):
        own, among = Masses(every=2), Masses(every=2)
        own.measure(each, BlockIndex.masked([each.extent], 2, [made(rows[0]).mask(each)]))
        among.measure(each, mixed, request)
        assert own.figures() == among.figures()


def test_layers_are_told_apart_and_together(shown):
    from ragctx.attention.selection.mass import Masses

    seen, masses = shown(640), Masses(every=2)
    masses.measure(replace(seen, layer=5), BlockIndex.dense([seen.extent], 2))
    masses.measure(replace(seen, layer=3), BlockIndex.chosen([seen.extent], 2, lambda request, head, tile: [tile]))
    told = masses.figures()
    assert list(told) == [3, 5]
    assert told[5] == {"rows": 20, "mean": 1.0, "p5": 0.999}  # the last bin
    assert told[3]["p5"] <= told[3]["mean"] < 0.9
    assert masses.all.rows == 40
    assert masses.all.mean == pytest.approx((told[3]["mean"] + 1) / 2, abs=1e-3)


def test_what_cannot_be_measured_is_refused(shown):
    from ragctx.attention.selection.mass import Kept, Masses

    for every in (0, -1, 1.5, True):
        with pytest.raises(ConfigError):
            Masses(every=every)
    for wrong in (-0.1, 1.1, np.nan, np.inf):
        with pytest.raises(InputError, match="nan"):
            Kept().add(np.array([0.5, wrong]))
    seen = shown(640)
    with pytest.raises(InputError):
        Masses(every=1).measure(replace(seen, query=seen.query * np.inf), BlockIndex.dense([seen.extent], 2))


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
