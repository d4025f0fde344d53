"""Antidiagonal scores: what the product of laid out squares is, and what cannot slip through."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragctx.attention import Extent
from ragctx.errors import ConfigError

torch = pytest.importorskip("torch", reason="needs the extra local")


@pytest.fixture
def made():
    from ragctx.attention.selection.antidiagonal import Antidiagonal

    return Antidiagonal


@pytest.mark.parametrize(
    "wrong",
    [
        {"stride": 0},
        {"stride": 6},
        {"stride": 128},
        {"stride": 8.0},
        {"coverage": -0.1},
        {"coverage": "all"},
        {"budget": 1},
    ],
)
def test_settings_out_of_range_are_refused(made, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        made(**wrong)


@pytest.mark.parametrize("stride", [1, 4, 16, 64])
def test_squares_are_means_along_antidiagonals(stride):
    from ragctx.attention.selection.antidiagonal import squares

    draw = torch.Generator().manual_seed(stride)
    queries, keys = torch.randn(2, 3, 64, 5, generator=draw), torch.randn(128, 5, generator=draw)
    found, scores = squares(queries, keys, stride), queries @ keys.T
    assert found.shape == (2, 3, 64 // stride, 128 // stride)
    for down in range(64 // stride):
        for right in range(128 // stride):
            places = [(down * stride + n, right * stride + (stride - 1 - down % 2 - n) % stride) for n in range(stride)]
            wanted = sum(scores[:, :, query, key] for query, key in places) / stride
            assert torch.allclose(found[:, :, down, right], wanted, atol=1e-5)


@pytest.mark.parametrize("stride", [4, 8, 16])
@pytest.mark.parametrize("kind", ["column", "diagonal"])
@pytest.mark.parametrize("place", [192, 333, 999, 1000])
def test_neither_a_column_nor_a_diagonal_slips_through(made, stride, kind, place):
    from ragctx.attention.selection.evidence import Evidence, TensorKeys

    query = torch.zeros(64, 1, 1280)
    for number in range(64):
        query[number, 0, place if kind == "column" else place + number] = 400 * stride
    seen = Evidence(Extent(64, 1280), query, TensorKeys(torch.eye(1280)[:, None]))
    needed = (place + (31 if kind == "diagonal" else 0)) // 64  # where most of it is
    assert made(budget=128, stride=stride, coverage=0.0).mask(seen)[0, 0, needed]


def test_shares_are_taken_up_to_the_coverage(made, shown, past):
    seen = shown(1280, group=4)
    sizes = [past(seen.extent, made(budget=64, coverage=share).mask(seen)).sum() for share in (0, 0.3, 0.6, 0.9, 1)]
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == 2 * 20 * 19 / 2


@pytest.mark.parametrize("scale", [0.0, 0.05])
def test_no_fewer_tiles_hold_the_coverage(made, shown, scale):
    """Of one head with a small budget: the tiles chosen hold the share, all but the least of them do not."""
    from ragctx.attention.selection.antidiagonal import squares

    seen = replace(shown(1280, 1216, group=1, kv_heads=1), scale=scale)
    scores = squares(seen.query[None, None, :, 0], seen.keys.rows(0, 1216)[:, 0], 8)[0, 0] * (scale or 32**-0.5)
    held = scores.softmax(-1).unflatten(-1, (-1, 8)).sum(-1).mean(0)
    chosen = held[torch.from_numpy(made(budget=64, coverage=0.7).mask(seen)[0, 0, :-1])]
    assert len(chosen) > 2
    assert chosen.sum() >= 0.7 > chosen.sum() - chosen.min()


def test_a_budget_is_a_floor(made, shown, past):
    seen = shown(1280)
    chosen = past(seen.extent, made(budget=512, coverage=0.1).mask(seen)).sum(-1)
    assert (chosen[:, 8:] >= 8).all()
    assert (chosen[:, :8] == range(8)).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_most_of_what_the_best_tiles_keep_is_kept(made, patterned, bracket, seed):
    seen = patterned(seed=seed)
    luck, kept, best = bracket(seen, made(budget=256, coverage=0.0).mask(seen))
    assert 0.3 < (kept - luck) / (best - luck) <= 1
