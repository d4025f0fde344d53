"""Work items: every packed row of every index row once, every tile of a split row once."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ragctx.attention import BlockIndex, Extent
from ragctx.attention.kernels.triton.work import Work, laid

sizes = st.integers(1, 400).flatmap(lambda keys: st.tuples(st.integers(1, keys), st.just(keys)))
batches = st.lists(sizes.map(lambda pair: Extent(*pair)), min_size=1, max_size=3)


@settings(max_examples=60)
@given(batches, st.integers(1, 3), st.sampled_from([1, 3, 7, 20]), st.randoms(use_true_random=False))
def test_items_cover_what_is_to_be_computed_once(extents, heads, group, chance):
    def choose(request, head, tile):
        return sorted({*(n for n in range(tile) if chance.random() < 0.5), tile})

    index = BlockIndex.chosen(extents, heads, choose)
    work = Work.of(index, group, wide=128, narrow=32, split=2)
    wanted, at = Counter(), 0
    for extent in extents:
        for tile in range(extent.tiles):
            begin, end = extent.tile(tile)
            for token in range(begin, end):
                wanted.update(
                    (at + token - extent.first, token, head * group + n) for head in range(heads) for n in range(group)
                )
        at += extent.queries
    assert Counter(packed(work.wide, group, 128)) + Counter(packed(work.merges, group, 32)) == wanted
    lengths = work.wide[:, 6] - work.wide[:, 5]
    assert (np.diff(lengths) <= 0).all()
    for merge in work.merges:
        splits = work.splits[merge[5] : merge[6]]
        assert (splits[:, :5] == merge[:5]).all()
        assert (splits[1:, 5] == splits[:-1, 6]).all()
        assert (splits[:, 6] - splits[:, 5] <= 2).all()
    assert sum(merge[6] - merge[5] for merge in work.merges) == len(work.splits)


def packed(items, group, rows):
    """(token, position, query head) of every packed row that an item computes."""
    for token, position, queries, _, head, _, _, first in items.tolist():
        for row in range(first, min(first + rows, queries * group)):
            yield token + row // group, position + row // group, head * group + row % group


@given(batches, st.integers(1, 3))
def test_an_item_names_its_own_row_of_the_index(extents, heads):
    index = BlockIndex.dense(extents, heads)
    for token, position, queries, request, head, begin, end, _ in laid(index).tolist():
        extent = extents[request]
        tile = position // 64 - extent.base
        assert index.blocks[begin:end].tolist() == index.row(request, head, tile).tolist()
        assert extent.tile(tile) == (position, position + queries)
        assert token - sum(e.queries for e in extents[:request]) == position - extent.first
