"""The index: what it refuses, and that all its encodings say the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragctx.attention import BlockIndex, Extent
from ragctx.errors import ConfigError

sizes = st.integers(1, 400).flatmap(lambda keys: st.tuples(st.integers(1, keys), st.just(keys)))
batches = st.lists(sizes.map(lambda pair: Extent(*pair)), min_size=1, max_size=3)


def index(starts, blocks, extent=None, heads=1):
    return BlockIndex((extent or Extent(130, 130),), heads, np.array(starts, np.int32), np.array(blocks, np.int32))


@given(sizes)
def test_tiles_cover_the_queries_and_no_more(size):
    extent = Extent(*size)
    tiles = [extent.tile(number) for number in range(extent.tiles)]
    assert [begin for begin, _ in tiles] == [extent.first, *[end for _, end in tiles[:-1]]]
    assert tiles[-1][1] == extent.keys
    assert all(0 < end - begin <= 64 and begin // 64 == (end - 1) // 64 for begin, end in tiles)


@given(batches, st.integers(1, 3))
def test_everything_is_dense(extents, heads):
    dense = BlockIndex.dense(extents, heads)
    assert dense.density == 1.0
    assert dense.rows == heads * sum(extent.tiles for extent in extents)
    last = extents[-1]
    assert dense.row(len(extents) - 1, heads - 1, last.tiles - 1).tolist() == list(range(last.base + last.tiles))


@given(batches, st.integers(1, 2), st.randoms(use_true_random=False))
def test_the_encodings_say_the_same(extents, heads, chance):
    def choose(request, head, tile):
        return sorted({*(n for n in range(tile) if chance.random() < 0.4), tile})

    made = BlockIndex.chosen(extents, heads, choose)
    padded, lengths = made.padded()
    mask = made.bitmask()
    number, masks = 0, []
    for request, extent in enumerate(extents):
        masks.append(mask[number : number + heads * extent.tiles].reshape(heads, extent.tiles, -1))
        for head in range(heads):
            for tile in range(extent.tiles):
                row = made.row(request, head, tile).tolist()
                assert row == padded[number, : lengths[number]].tolist() == np.flatnonzero(mask[number]).tolist()
                assert set(padded[number].tolist()) == set(row)
                number += 1
    again = BlockIndex.masked(extents, heads, masks)
    assert np.array_equal(again.blocks, made.blocks)
    assert np.array_equal(again.starts, made.starts)
    assert 0 < made.density <= 1


@pytest.mark.parametrize(
    ("starts", "blocks", "why"),
    [
        ([0, 1, 2, 2], [0, 1], "row 2 of the index is empty"),
        ([0, 1, 3, 5], [0, 0, 1, 0, 1], "row 2 of the index does not end with its diagonal"),
        ([0, 1, 3, 6], [0, 0, 1, 1, 0, 2], "row 2 .* ascending"),
        ([0, 1, 3, 6], [0, 0, 1, 0, 0, 2], "row 2 .* without repetition"),
        ([0, 1, 3, 5], [0, -1, 1, 0, 2], "row 1 of the index begins before"),
        ([0, 1, 3, 6], [0, 0, 1, 0, 3, 2], "row 2 .* ascending"),
        ([0, 1, 3], [0, 0, 1], "3 rows need"),
        ([0, 1, 3, 4], [0, 0, 1, 0, 2], "3 rows need"),
    ],
)
def test_rows_that_break_the_rules_are_refused(starts, blocks, why):
    with pytest.raises(ConfigError, match=why):
        index(starts, blocks)


def test_other_numbers_are_refused():
    with pytest.raises(ConfigError, match="int32"):
        BlockIndex((Extent(1, 1),), 1, np.array([0, 1]), np.array([0]))
    with pytest.raises(ConfigError, match="at least one request"):
        BlockIndex((), 1, np.zeros(1, np.int32), np.zeros(0, np.int32))


@pytest.mark.parametrize(("queries", "keys"), [(0, 5), (6, 5), (-1, 3)])
def test_an_extent_needs_a_query_and_its_key(queries, keys):
    with pytest.raises(ConfigError, match="each request needs a query"):
        Extent(queries, keys)


def test_a_mask_is_cut_at_the_diagonal_which_it_always_holds():
    made = BlockIndex.masked([Extent(66, 130)], 1, [np.array([[[True, False, True], [False, False, False]]])])
    assert [made.row(0, 0, tile).tolist() for tile in range(2)] == [[0, 1], [2]]
