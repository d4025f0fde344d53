"""Columns and diagonals: what each brings into a tile, by the definition, and what they are there to find."""

from __future__ import annotations

import pytest

from ragctx.attention import Extent
from ragctx.errors import ConfigError

torch = pytest.importorskip("torch", reason="needs the extra local")


@pytest.fixture
def made():
    from ragctx.attention.selection.vertical_slash import VerticalSlash

    return VerticalSlash


@pytest.fixture
def crossed():
    from ragctx.attention.selection.vertical_slash import crossed

    return crossed


@pytest.fixture
def pointing():
    """Evidence whose queries of the last tile look at one key each, at `where(query)`, by one-hot codes of keys."""
    from ragctx.attention.selection.evidence import Evidence, TensorKeys

    def evidence(where, tokens=1280, width=1280):
        query = torch.zeros(64, 1, width)
        for number in range(64):
            query[number, 0, where(number)] = 9000
        return Evidence(Extent(64, tokens), query, TensorKeys(torch.eye(tokens)[:, None, :width]))

    return evidence


@pytest.mark.parametrize(
    "wrong",
    [
        {"every": 0},
        {"every": 5},
        {"every": 128},
        {"every": 8.0},
        {"coverage": 1.1},
        {"coverage": float("nan")},
        {"columns": -1},
        {"diagonals": -1},
        {"columns": True},
        {"budget": 63},
        {"growth": 1},
    ],
)
def test_settings_out_of_range_are_refused(made, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        made(**wrong)


@pytest.mark.parametrize("samples", [1, 2, 4, 8, 64])
@pytest.mark.parametrize("key", [0, 1, 63, 64, 100, 255])
def test_a_column_is_worth_something_in_its_own_tile_alone(crossed, samples, key):
    from ragctx.attention.selection.vertical_slash import ALL

    chances = torch.zeros(1, samples, 256)
    chances[:, :, key] = 0.5
    wanted = torch.zeros(1, 4)
    wanted[0, key // 64] = 0.5
    assert torch.allclose(crossed(chances, ALL, ALL), wanted)


@pytest.mark.parametrize("samples", [2, 4, 8, 64])
@pytest.mark.parametrize("first", [0, 1, 7, 63, 64, 65, 128, 130, 191])
def test_a_diagonal_is_worth_its_queries_in_each_tile(crossed, samples, first):
    from ragctx.attention.selection.vertical_slash import ALL

    chances, every = torch.zeros(1, samples, 256), 64 // samples
    for number in range(samples):
        chances[0, number, first + every * (number + 1) - 1] = 0.5
    meets = torch.tensor([(first + query) // 64 for query in range(64)])
    wanted = 0.5 * torch.bincount(meets, minlength=4)[None] / 64
    assert torch.allclose(crossed(chances, ALL, ALL), wanted)
    assert torch.allclose(crossed(chances, 0, 1), wanted)


def test_a_diagonal_that_reaches_out_of_the_past_counts_where_it_is_within(crossed):
    from ragctx.attention.selection.vertical_slash import ALL

    chances = torch.zeros(1, 64, 128)
    for query in range(10, 64):
        chances[0, query, query - 10] = 0.5  # from before the first key
    assert torch.allclose(crossed(chances, ALL, ALL), torch.tensor([[0.5 * 54 / 64 * 54 / 64, 0.0]]))
    chances = torch.zeros(1, 64, 128)
    for query in range(20):
        chances[0, query, query + 108] = 0.5  # and on after the last
    assert torch.allclose(crossed(chances, ALL, ALL), torch.tensor([[0.0, 0.5 * 20 / 64 * 20 / 64]]))


def test_looks_are_counted_once(crossed):
    from ragctx.attention.selection.vertical_slash import ALL

    chances = torch.rand(3, 8, 640, generator=torch.Generator().manual_seed(0))
    chances[:, :, :64] = chances[:, :, -64:] = 0  # no diagonal leaves
    assert torch.allclose(crossed(chances, ALL, ALL).sum(1), chances.mean(1).sum(1))
    some = [crossed(chances, count, count).sum() for count in (1, 10, 100, 640)]
    assert some == sorted(some)


def test_numbers_of_lines_are_kept(crossed):
    chances = torch.zeros(1, 4, 256)
    chances[..., 10], chances[..., 200] = 0.3, 0.2
    assert crossed(chances, 1, 0)[0].tolist() == pytest.approx([0.3, 0, 0, 0])
    assert crossed(chances, 2, 0)[0].tolist() == pytest.approx([0.3, 0, 0, 0.2])
    assert crossed(chances, 0, 5).sum() == 0


@pytest.mark.parametrize("offset", [64, 100, 640, 700, 1000, 1216])
@pytest.mark.parametrize("every", [4, 8, 16, 32])
def test_a_distance_at_which_all_look_is_seen_by_all(made, pointing, offset, every):
    seen = pointing(lambda query: 1216 + query - offset)
    rule = made(budget=128, every=every, coverage=0.0, columns=0, diagonals=4)
    needed = {(1216 + query - offset) // 64 for query in range(64)} - {19}
    assert needed <= set(rule.mask(seen)[0, 0].nonzero()[0].tolist())


def test_a_key_at_which_all_look_is_seen(made, pointing):
    for key in (0, 64, 700, 1215):
        mask = made(budget=64, coverage=0.0).mask(pointing(lambda query, key=key: key))
        assert mask[0, 0].nonzero()[0].tolist() == [key // 64]


def test_tiles_are_added_until_each_head_keeps_its_share(made, shown, past):
    seen = shown(1280, group=4, kv_heads=1)
    sampled = [place for place in range(1280) if place % 8 == 7]
    scores = torch.einsum("qhd,kd->qhk", seen.query[sampled], seen.keys.rows(0, 1280)[:, 0]) * seen.factor
    sizes = []
    for coverage in (0.0, 0.5, 0.8, 0.95):
        chosen = past(seen.extent, made(budget=64, coverage=coverage).mask(seen))[0]
        sizes.append(chosen.sum())
        for tile in range(1, 20):
            chances = scores[tile * 8 : tile * 8 + 8, :, : tile * 64].softmax(-1)
            share = chances.unflatten(-1, (-1, 64)).sum(-1)[..., chosen[tile, :tile]].sum(-1).mean(0)
            assert share.min() >= coverage - 1e-5
    assert sizes == sorted(set(sizes))
    assert sizes[-1] < 190


def test_a_head_without_a_peak_gets_its_share_beside_one_that_has_one(made):
    from ragctx.attention.selection.evidence import Evidence, TensorKeys

    query, keys = torch.zeros(64, 2, 16), torch.zeros(1280, 1, 16)
    query[:, 0, 0], keys[700, 0, 0] = 20, 20
    rule = made(budget=64, coverage=0.5)
    assert rule.mask(Evidence(Extent(64, 1280), query[:, :1], TensorKeys(keys)))[0].sum() == 1
    both = rule.mask(Evidence(Extent(64, 1280), query, TensorKeys(keys)))[0, 0]
    assert both[10]
    assert both.sum() == 10  # of 19


def test_where_no_line_counts_the_sample_decides(made, pointing):
    seen = pointing(lambda query: 700)
    mask = made(budget=64, columns=0, diagonals=0, coverage=0.0).mask(seen)
    assert mask[0, 0].nonzero()[0].tolist() == [10]


def test_a_share_of_everything_is_everything_even_where_nothing_looks(made, pointing):
    assert made(budget=64, coverage=1.0).mask(pointing(lambda query: 700))[0, 0, :19].all()


@pytest.mark.parametrize("seed", [0, 1])
def test_most_of_what_the_best_tiles_keep_is_kept(made, patterned, bracket, seed):
    seen = patterned(seed=seed)
    luck, kept, best = bracket(seen, made(budget=256, coverage=0.0).mask(seen))
    assert 0.85 < (kept - luck) / (best - luck) <= 1
