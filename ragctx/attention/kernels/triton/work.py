"""The rows of an index as work items: int32 numbers that a kernel's program reads, each program one item.

An item is (token, position, queries, request, head, begin, end, first): the query tile's first row in the call's
tensor, that query's position in the sequence, how many queries the tile has, their request and KV head, the row's
range in the index's blocks (for a merge: of slots), and the first packed row (query x head of the group) of the piece.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragctx.attention.extents import BLOCK
from ragctx.attention.index import BlockIndex

Items = NDArray[np.int32]
QUERIES, BEGIN, END, FIRST = 2, 5, 6, 7


@dataclass(frozen=True, slots=True)
class Work:
    """The items of one call, for three kernels.

    Attributes:
        wide: pieces of query tiles, the longest rows first, so that no long one starts when all others are over.
        splits: pieces of rows of few queries. merges: for each such row the range of its splits.
    """

    wide: Items
    splits: Items
    merges: Items

    @classmethod
    def of(cls, index: BlockIndex, group: int, *, wide: int, narrow: int, split: int) -> Work:
        """Lay out an index.

        Args:
            index: of the call.
            group: query heads of a KV head.
            wide: packed rows of a prefill program.
            narrow: packed rows of a decode program; a query tile that has no more is split instead.
            split: tiles of a split.

        Example:
            >>> from ragctx.attention import BlockIndex, Extent
            >>> index = BlockIndex.dense([Extent(1, 200), Extent(70, 70)], heads=1)
            >>> work = Work.of(index, group=4, wide=128, narrow=16, split=2)
            >>> [len(items) for items in (work.wide, work.splits, work.merges)]
            [3, 2, 1]
        """
        rows = laid(index)
        few = rows[:, QUERIES] * group <= narrow
        splits, merges = _split(rows[few], split)
        return cls(_pieces(rows[~few], group, wide), splits, merges)


def laid(index: BlockIndex) -> Items:
    """An item for each row of the index, in its order."""
    parts, at = [], 0
    for request, extent in enumerate(index.extents):
        tiles = extent.base + np.arange(extent.tiles, dtype=np.int32)
        begin = np.maximum(tiles * BLOCK, extent.first)
        queries = np.minimum((tiles + 1) * BLOCK, extent.keys) - begin
        rows = np.stack([begin - extent.first + at, begin, queries, np.full_like(tiles, request)], 1)
        heads = np.repeat(np.arange(index.heads, dtype=np.int32), extent.tiles)
        parts.append(np.column_stack([np.tile(rows, (index.heads, 1)), heads]))
        at += extent.queries
    ranges = (index.starts[:-1], index.starts[1:], np.zeros(index.rows, np.int32))
    return np.column_stack([np.concatenate(parts), *ranges]).astype(np.int32)


def _pieces(rows: Items, group: int, size: int) -> Items:
    """Each row as often as its packed rows fill a program."""
    made, numbers = _repeated(rows, -(-rows[:, QUERIES] * group // size))
    made[:, FIRST] = numbers * size
    return made[np.argsort(made[:, BEGIN] - made[:, END], kind="stable")]


def _split(rows: Items, size: int) -> tuple[Items, Items]:
    """Each row as often as it has ranges of `size` tiles, and which of those belong to it."""
    counts = -(-(rows[:, END] - rows[:, BEGIN]) // size)
    made, numbers = _repeated(rows, counts)
    made[:, BEGIN] += numbers * size
    made[:, END] = np.minimum(made[:, BEGIN] + size, made[:, END])
    merges = rows.copy()
    merges[:, END] = np.cumsum(counts)
    merges[:, BEGIN] = merges[:, END] - counts
    return made, merges


def _repeated(rows: Items, counts: NDArray[np.int32]) -> tuple[Items, NDArray[np.int32]]:
    """The rows, each `counts` times, and the number of each among its own."""
    made = np.repeat(rows, counts, axis=0)
    before = np.repeat(np.cumsum(counts) - counts, counts)
    return made, (np.arange(len(made)) - before).astype(np.int32)
