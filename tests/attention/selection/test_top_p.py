"""Cumulative shares: when means are believed, and that the share is held whichever way it was told."""

from __future__ import annotations

import pytest

from ragctx.attention import Extent
from ragctx.errors import ConfigError

torch = pytest.importorskip("torch", reason="needs the extra local")


@pytest.fixture
def made():
    from ragctx.attention.selection.top_p import TopP

    return TopP


@pytest.mark.parametrize(
    "wrong",
    [{"gamma": 1.5}, {"gamma": -1}, {"tau": 2}, {"tau": float("nan")}, {"every": 3}, {"budget": 0}, {"growth": 2}],
)
def test_settings_out_of_range_are_refused(made, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        made(**wrong)


def test_the_divergence_is_that_of_the_definition():
    from ragctx.attention.selection.top_p import apart

    draw = torch.Generator().manual_seed(0)
    one, other = (torch.randn(50, 30, generator=draw).mul(4).softmax(-1) for _ in range(2))
    one[:, :5] = 0
    one /= one.sum(-1, keepdim=True)
    middle = (one + other).double() / 2
    sums = [torch.where(each > 0, each * (each.double() / middle).log(), 0.0).sum(-1) for each in (one, other)]
    assert torch.allclose(apart(one, other).double(), (sum(sums) / 2).sqrt(), atol=1e-5)
    assert torch.allclose(apart(one, other), apart(other, one))
    assert (apart(one, one) == 0).all()


def test_means_are_believed_where_they_are_true(made, shown):
    """Tiles whose keys are all alike are their means; one key in a tile is not."""
    from ragctx.attention.selection.evidence import Evidence, TensorKeys

    draw = torch.Generator().manual_seed(0)
    tiles = torch.randn(20, 1, 16, generator=draw)
    query = torch.randn(1, 2, 16, generator=draw).repeat(64, 1, 1) * 2
    alike = Evidence(Extent(64, 1280), query, TensorKeys(tiles.repeat_interleave(64, 0)))
    kinds = {tau: made(budget=64, tau=tau).mask(alike) for tau in (0, 0.1, 1)}
    assert (kinds[0.1] == kinds[1]).all()
    keys = torch.zeros(1280, 1, 16)
    query, keys[700, 0, 0] = torch.zeros(64, 2, 16), 15
    query[..., 0] = 15
    peak = Evidence(Extent(64, 1280), query, TensorKeys(keys))
    kinds = {tau: made(budget=64, tau=tau).mask(peak) for tau in (0, 0.1, 1)}
    assert (kinds[0.1] == kinds[0]).all()
    assert kinds[0][0, 0].nonzero()[0].tolist() == [10]


def test_heads_of_one_row_may_be_told_either_way(made):
    """One head's keys are alike within a tile, the other looks at a single key: both find theirs at once."""
    from ragctx.attention.selection.evidence import Evidence, TensorKeys

    keys, query = torch.zeros(1280, 1, 16), torch.zeros(64, 2, 16)
    keys[320:384, 0, 0], query[:, 0, 0] = 9, 9
    keys[700, 0, 1], query[:, 1, 1] = 9, 9
    keys[832:896, 0, 1] = 0.5  # a tile whose mean is greater than that of the tile of the key
    seen = Evidence(Extent(64, 1280), query, TensorKeys(keys))
    assert made(budget=64).mask(seen)[0, 0].nonzero()[0].tolist() == [5, 10]
    assert 10 not in made(budget=64, tau=1, gamma=0.1).mask(seen)[0, 0].nonzero()[0].tolist()


@pytest.mark.parametrize("tau", [0.0, 0.1])
def test_the_share_is_held(made, shown, past, tau):
    seen = shown(1280, group=4, kv_heads=1)
    scores = torch.einsum("qhd,kd->qhk", seen.query, seen.keys.rows(0, 1280)[:, 0]) * seen.factor
    sizes = []
    for gamma in (0.5, 0.8, 0.95):
        chosen = past(seen.extent, made(budget=64, gamma=gamma, tau=tau).mask(seen))[0]
        sizes.append(chosen.sum())
        for tile in range(1, 20):
            chances = scores[tile * 64 : tile * 64 + 64, :, : tile * 64].softmax(-1)
            share = chances.unflatten(-1, (-1, 64)).sum(-1)[..., chosen[tile, :tile]].sum(-1).mean(0)
            assert share.min() >= gamma - 0.2  # told by four queries of 64
    assert sizes == sorted(set(sizes))


def test_a_budget_is_a_floor(made, shown, past):
    seen = shown(1280)
    chosen = past(seen.extent, made(budget=512, gamma=0.1).mask(seen)).sum(-1)
    assert (chosen[:, 8:] >= 8).all()
    assert past(seen.extent, made(budget=512, gamma=0.0).mask(seen)).sum(-1)[0, 8:].tolist() == [8] * 12


@pytest.mark.parametrize("seed", [0, 1])
def test_most_of_what_the_best_tiles_keep_is_kept(made, patterned, bracket, seed):
    seen = patterned(seed=seed)
    luck, kept, best = bracket(seen, made(budget=256, gamma=0.0).mask(seen))
    assert 0.75 < (kept - luck) / (best - luck) <= 1
