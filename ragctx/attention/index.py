"""Which tiles of keys each tile of queries looks at: compressed rows, checked once, told in three encodings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from ragctx.attention.extents import Extent
from ragctx.errors import ConfigError

Rows = NDArray[np.int32]
Choice = Callable[[int, int, int], Sequence[int]]
"""(request, KV head, tile in the sequence) -> key tiles in ascending order, the diagonal one last."""


@dataclass(frozen=True, slots=True, eq=False)
class BlockIndex:
    """Key tiles for every request, KV head and query tile, in compressed rows.

    Rows stand in the order request, KV head, query tile. Row r holds `blocks[starts[r] : starts[r + 1]]`, ascending,
    without repetition, none after the diagonal tile, which is the last of every row: a token always sees itself. What
    is checked here no kernel has to check again: an index out of range would read foreign memory there, and an empty
    row divide by zero.

    Attributes:
        extents: of the requests. heads: KV heads; the query heads of a group share their rows.
        starts: int32 [rows + 1]. blocks: int32 [pairs], tiles of keys counted from the sequence's beginning.

    Raises:
        ConfigError: a row breaks the rules; the message names it.

    Example:
        >>> index = BlockIndex.chosen([Extent(130, 130)], 1, lambda request, head, tile: sorted({0, tile}))
        >>> index.blocks.tolist(), index.starts.tolist(), round(index.density, 2)
        ([0, 0, 1, 0, 2], [0, 1, 3, 5], 0.83)
    """

    extents: tuple[Extent, ...]
    heads: int
    starts: Rows
    blocks: Rows

    def __post_init__(self) -> None:
        if self.heads < 1 or not self.extents:
            raise ConfigError("an index needs at least one request and one KV head")
        _check(self)

    @classmethod
    def chosen(cls, extents: Sequence[Extent], heads: int, choose: Choice) -> BlockIndex:
        """The index of a rule that tells each row by itself."""
        places = _places(extents, heads)
        rows = [np.asarray(choose(request, head, tile), np.int32) for request, head, tile in places]
        starts = np.fromiter(accumulate(map(len, rows), initial=0), np.int32, len(rows) + 1)
        return cls(tuple(extents), heads, starts, np.concatenate(rows) if rows else np.empty(0, np.int32))

    @classmethod
    def masked(cls, extents: Sequence[Extent], heads: int, masks: Sequence[NDArray[np.bool_]]) -> BlockIndex:
        """The index of boolean masks, one a request: [heads, query tiles, key tiles].

        What lies after the diagonal is left out, and the diagonal is always in.
        """
        counts, blocks = [np.zeros(1, np.int64)], []
        for extent, mask in zip(extents, masks, strict=True):
            own = extent.base + np.arange(extent.tiles)
            tiles = np.arange(mask.shape[-1])
            seen = (mask & (tiles <= own[:, None])) | (tiles == own[:, None])
            counts.append(seen.sum(-1).ravel())
            blocks.append(np.nonzero(seen)[2])
        starts = np.cumsum(np.concatenate(counts))
        return cls(tuple(extents), heads, starts.astype(np.int32), np.concatenate(blocks).astype(np.int32))

    @classmethod
    def dense(cls, extents: Sequence[Extent], heads: int) -> BlockIndex:
        """Everything up to the diagonal."""
        return cls.chosen(extents, heads, lambda request, head, tile: range(tile + 1))

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.starts) - 1

    @property
    def density(self) -> float:
        """The share of dense attention's tile pairs that is computed."""
        return len(self.blocks) / (self.heads * sum(extent.pairs() for extent in self.extents))

    def row(self, request: int, head: int, tile: int) -> Rows:
        """The key tiles of one row; `tile` counts from the first with queries."""
        before = sum(extent.tiles for extent in self.extents[:request]) * self.heads
        number = before + head * self.extents[request].tiles + tile
        return self.blocks[self.starts[number] : self.starts[number + 1]]

    def padded(self) -> tuple[Rows, Rows]:
        """The rows side by side, [rows, longest] and [rows] lengths; a short row is filled up with its diagonal."""
        lengths = np.diff(self.starts)
        places = np.minimum(np.arange(lengths.max())[None], lengths[:, None] - 1) + self.starts[:-1, None]
        return self.blocks[places], lengths.astype(np.int32)

    def bitmask(self) -> NDArray[np.bool_]:
        """Whether a row holds a tile, [rows, most key tiles of any request]."""
        most = max(extent.base + extent.tiles for extent in self.extents)
        mask = np.zeros((self.rows, most), np.bool_)
        mask[np.repeat(np.arange(self.rows), np.diff(self.starts)), self.blocks] = True
        return mask


def _places(extents: Sequence[Extent], heads: int) -> Iterator[tuple[int, int, int]]:
    for request, extent in enumerate(extents):
        for head in range(heads):
            for tile in range(extent.tiles):
                yield request, head, extent.base + tile


def diagonals(extents: Sequence[Extent], heads: int) -> Rows:
    """The diagonal tile of every row."""
    own = [np.tile(extent.base + np.arange(extent.tiles, dtype=np.int32), heads) for extent in extents]
    return np.concatenate(own)


def _check(index: BlockIndex) -> None:
    own, starts, blocks = diagonals(index.extents, index.heads), index.starts, index.blocks
    if starts.dtype != np.int32 or blocks.dtype != np.int32 or starts.ndim != 1 or blocks.ndim != 1:
        raise ConfigError(f"an index is of int32 rows, got {starts.dtype} {starts.shape} and {blocks.dtype}")
    if len(starts) != len(own) + 1 or starts[0] != 0 or starts[-1] != len(blocks):
        raise ConfigError(f"{len(own)} rows need as many borders and one, from 0 to {len(blocks)}: got {len(starts)}")
    lengths = np.diff(starts)
    _refuse(lengths < 1, "is empty: give it at least the diagonal tile")
    _refuse(blocks[starts[1:] - 1] != own, "does not end with its diagonal tile")
    _refuse(blocks[starts[:-1]] < 0, "begins before the first tile")
    rising = np.diff(blocks) > 0
    rising[starts[1:-1] - 1] = True  # from one row to the next
    falls = np.flatnonzero(~rising)
    if len(falls):
        number = int(np.searchsorted(starts, falls[0], side="right")) - 1
        raise ConfigError(f"row {number} of the index is not in ascending order without repetition: sort it")


def _refuse(wrong: NDArray[np.bool_], why: str) -> None:
    if wrong.any():
        raise ConfigError(f"row {int(np.argmax(wrong))} of the index {why}")
