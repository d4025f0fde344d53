"""What holds for every rule: budgets, causality, cuts, groups, ties, needles, and the bracket of random and best."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ragctx.attention import Extent

torch = pytest.importorskip("torch", reason="needs the extra local")


def test_every_rule_is_in_the_suite(rows):
    from ragctx.attention.selection import RULES

    assert sorted(row.name for row in rows) == sorted(RULES)


def test_a_full_budget_is_everything(row, made, shown, past):
    seen = shown(700, 130)
    everything = np.ones((2, seen.extent.tiles, 11), bool)
    assert (past(seen.extent, made(row, "full").mask(seen)) == past(seen.extent, everything)).all()


def test_a_small_budget_is_not(row, made, shown, past):
    seen = shown(2000)
    assert 0.05 < past(seen.extent, made(row).mask(seen)).sum() / (2 * 32 * 31 / 2) < 0.7


@pytest.mark.parametrize(("begin", "tokens"), [(0, 1), (0, 64), (63, 64), (64, 65), (100, 130), (129, 130), (0, 700)])
@pytest.mark.parametrize(("group", "kv_heads"), [(1, 3), (4, 2), (8, 1)])
def test_masks_have_a_row_for_each_query_tile_and_kv_head(row, made, shown, begin, tokens, group, kv_heads):
    seen = shown(tokens, begin, group, kv_heads)
    mask = made(row).mask(seen)
    assert mask.dtype == np.bool_
    assert mask.shape == (kv_heads, seen.extent.tiles, seen.extent.base + seen.extent.tiles)


def test_what_comes_later_changes_nothing(row, made, shown, past):
    seen, rule = shown(1000), made(row)
    first = past(seen.extent, rule.mask(seen))
    tile = 9
    query, keys = seen.query.clone(), seen.keys.rows(0, 1000).clone()
    keys[tile * 64 :] = 50 * torch.randn(1000 - tile * 64, *keys.shape[1:])
    query[(tile + 1) * 64 :] = 50 * torch.randn(1000 - (tile + 1) * 64, *query.shape[1:])
    query[: tile * 64] = -query[: tile * 64]  # nor do other tiles' queries
    then = past(seen.extent, rule.mask(replace(seen, query=query, keys=type(seen.keys)(keys))))
    assert (first[:, tile] == then[:, tile]).all()


@pytest.mark.parametrize("step", [64, 192, 640])
def test_whole_tiles_choose_alike_however_a_text_is_cut(row, made, shown, past, step):
    seen, rule, tokens = shown(1300), made(row), 1300
    whole = past(seen.extent, rule.mask(seen))
    keys = seen.keys.rows(0, tokens)
    for begin in range(0, tokens, step):
        end = min(begin + step, tokens)
        part = replace(
            seen, extent=Extent(end - begin, end), query=seen.query[begin:end], keys=type(seen.keys)(keys[:end])
        )
        mask = past(part.extent, rule.mask(part))
        top = part.extent.base
        assert (mask == whole[:, top : top + part.extent.tiles, : mask.shape[2]]).all()


def test_a_kv_head_is_chosen_by_its_own_group(row, made, shown):
    seen, rule = shown(900, group=4, kv_heads=2), made(row)
    other = seen.query.clone()
    other[:, 4:] = 9 * torch.randn(900, 4, 32)
    changed = replace(seen, query=other)
    assert (rule.mask(seen)[0] == rule.mask(changed)[0]).all()


def test_heads_of_a_group_may_change_places(row, made, shown):
    seen, rule = shown(900, group=4, kv_heads=1), made(row)
    assert (rule.mask(seen) == rule.mask(replace(seen, query=seen.query[:, [2, 0, 3, 1]]))).all()


@pytest.mark.parametrize("page", [64, 128])
def test_keys_in_pages_are_keys(row, made, shown, paged, past, page):
    seen, rule = shown(500, 130), made(row)
    assert (past(seen.extent, rule.mask(seen)) == past(seen.extent, rule.mask(paged(seen, page)))).all()


def test_a_step_is_a_row_of_its_own(row, made, shown, past):
    seen = shown(900, 899)
    mask = past(seen.extent, made(row).mask(seen))
    assert mask.shape == (2, 1, 15)
    assert mask.any()


def test_half_precision_is_taken(row, made, shown):
    seen = shown(300, 100)
    half = replace(seen, query=seen.query.bfloat16(), keys=type(seen.keys)(seen.keys.rows(0, 300).bfloat16()))
    assert made(row).mask(half).shape == (2, 4, 5)


def test_ties_fall_the_same_way_each_time(row, made, shown, past):
    seen = shown(900)
    same = replace(seen, query=torch.ones_like(seen.query), keys=type(seen.keys)(torch.ones(900, 2, 32)))
    first, second = (past(same.extent, made(row).mask(same)) for _ in range(2))
    assert (first == second).all()
    assert (first[0] == first[1]).all()


def test_extreme_numbers_choose_something(row, made, shown, past):
    seen = shown(900)
    for scale in (0.0, 1e4):
        far = replace(seen, query=seen.query * scale, keys=type(seen.keys)(seen.keys.rows(0, 900) * scale))
        assert past(far.extent, made(row).mask(far))[:, 5:].any(-1).all()


@pytest.mark.parametrize("place", [0, 60, 64, 500, 765, 1000, 1148])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_needle_is_found(finder, made, needle, place, seed):
    seen = needle(1280, place, finder.finds, seed=seed)
    assert made(finder).mask(seen)[0, -1, place // 64]


def test_a_needle_in_the_middle_is_lost_by_position_alone(made, needle, rows):
    [row] = [row for row in rows if row.name == "streaming"]
    assert not made(row).mask(needle(1280, 500, 4))[0, -1, 500 // 64]


def test_better_than_chance_and_no_better_than_the_best(row, made, shown, bracket):
    seen = shown(1280, group=4)
    luck, kept, best = bracket(seen, made(row).mask(seen))
    assert luck < kept <= best + 1e-9


def test_more_is_never_worse(row, made, shown, recall):
    seen = shown(900)
    assert recall(seen, made(row).mask(seen)) <= recall(seen, made(row, "full").mask(seen)) == pytest.approx(1.0)
