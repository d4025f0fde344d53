"""Dual chunk attention over any kernel: a query's own piece, the piece before, all before that, merged to one softmax.

Only queries are turned: to look at a piece, a query is moved by the difference between where it stands and where that
piece shall see it. Keys stay in the cache as the model wrote them, rows or pages, and decoding costs no second copy.

A kernel's calls are causal and every row ends with its diagonal. A piece that lies wholly before its queries fits that
by giving the kernel each tile of queries as *one* token with that many heads more, which stands at the last key that
the tile looks at: it sees every key of the call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ragctx.attention.extents import BLOCK, Extent
from ragctx.attention.index import BlockIndex, Rows
from ragctx.attention.merge import Attended, merged
from ragctx.attention.positions.dual import DualChunk
from ragctx.attention.positions.held import Held, cut
from ragctx.attention.positions.rotation import Rotation

if TYPE_CHECKING:
    import torch

TILES = 16  # tiles of queries computed at once: what is held for each piece that they look at stays small


class Kernel(Protocol):
    """Any of ours."""

    def __call__(self, query: torch.Tensor, held: Held, index: BlockIndex, *, scale: float = 0.0) -> Attended:
        """Attention of queries over an index."""


def attend(
    query: torch.Tensor,
    held: Held,
    index: BlockIndex,
    dual: DualChunk,
    rotation: Rotation,
    kernel: Kernel,
    *,
    scale: float = 0.0,
) -> Attended:
    """Dual chunk attention of each request's queries over the key tiles of its rows.

    Args:
        query: [queries of all requests one after the other, heads, width], rotated to their true positions.
        held: keys, likewise rotated, and values.
        index: which tiles are seen, as for plain attention.
        dual: how positions are told.
        rotation: the model's.
        kernel: what computes each part.
        scale: of the scores; 1 / sqrt(width) by default.

    Raises:
        ConfigError: pieces are no whole pages.

    Example:
        >>> import torch
        >>> from ragctx.attention.kernels.torch_tiles import attend as kernel
        >>> from ragctx.attention.kernels.held import Rows
        >>> q, k, v = torch.randn(1, 4, 8), torch.randn(300, 2, 8), torch.randn(300, 2, 8)
        >>> given = BlockIndex.dense([Extent(1, 300)], 2), DualChunk(128, 64), Rotation((1.0, 0.1, 0.01, 0.001))
        >>> attend(q, Rows([k], [v]), *given, kernel).output.shape
        torch.Size([1, 4, 8])
    """
    import torch

    at, parts = 0, []
    for request, extent in enumerate(index.extents):
        for run in _runs(extent, dual):
            rows = query[at : at + run.end - run.begin]
            work = _Work(rows, held, index, request, run, dual, rotation, kernel, scale)
            parts.append(merged([work.near(), *work.far()]))
            at += len(rows)
    return Attended(*(torch.cat(each) for each in zip(*parts, strict=True)))


@dataclass(frozen=True, slots=True)
class _Run:
    """Tiles of queries of one piece.

    Attributes:
        first: its first tile, and `tiles` how many, counted from the request's first. piece: that they stand in.
        begin, end: their positions. front: places of the first tile that come before `begin`.
    """

    first: int
    tiles: int
    piece: int
    begin: int
    end: int

    @property
    def lanes(self) -> int:
        """Places of a tile: all of one, unless there is but one."""
        return BLOCK if self.tiles > 1 else self.end - self.begin

    @property
    def front(self) -> int:
        """Places of the first tile that stand before the first query."""
        return self.begin % BLOCK if self.tiles > 1 else 0


def _runs(extent: Extent, dual: DualChunk) -> Iterator[_Run]:
    size, tile = dual.stride // BLOCK, 0
    while tile < extent.tiles:
        piece = (extent.base + tile) // size
        end = min(tile + TILES, extent.tiles, (piece + 1) * size - extent.base)
        yield _Run(tile, end - tile, piece, extent.tile(tile)[0], extent.tile(end - 1)[1])
        tile = end


@dataclass(frozen=True, slots=True)
class _Work:
    """One run's computation; the arguments of `attend`."""

    query: torch.Tensor
    held: Held
    index: BlockIndex
    request: int
    run: _Run
    dual: DualChunk
    rotation: Rotation
    kernel: Kernel
    scale: float

    def near(self) -> Attended:
        """The queries' own piece."""
        run, begin = self.run, self.run.piece * self.dual.stride
        rows = [_after(self._row(head, tile), begin) for head in range(self.index.heads) for tile in range(run.tiles)]
        index = _indexed((Extent(run.end - run.begin, run.end - begin),), self.index.heads, rows)
        held = cut(self.held, self.request, [(begin, run.end)], slice(0, self.index.heads))
        return self.kernel(self._turned(run.piece), held, index, scale=self.scale)

    def far(self) -> list[Attended]:
        """Each piece before that any row looks at."""
        import torch

        run, heads, width = self.run, self.index.heads, self.query.shape[-1]
        if not run.piece:
            return []
        shape = (run.piece, run.tiles, run.lanes, heads, self.query.shape[1] // heads)
        query = torch.stack([self._laid(self._turned(piece)) for piece in range(run.piece)]).view(*shape, width)
        output, lse = torch.zeros_like(query), torch.full(shape, -torch.inf, device=query.device)
        lse = lse.to(torch.promote_types(query.dtype, torch.float32))
        for head in range(heads):
            self._head(head, query, output, lse)
        cuts = slice(run.front, run.front + run.end - run.begin)
        return [
            Attended(*(all_.flatten(0, 1)[cuts].flatten(1, 2) for all_ in (output[piece], lse[piece])))
            for piece in range(run.piece)
            if bool(torch.isfinite(lse[piece]).any())
        ]

    def _head(self, head: int, query: torch.Tensor, output: torch.Tensor, lse: torch.Tensor) -> None:
        """The pieces before, for the queries of one KV head."""
        rows = [self._before(head, tile) for tile in range(self.run.tiles)]
        if all(np.array_equal(row, rows[0]) for row in rows):  # as where all is seen: one tile of that many lanes
            rows = rows[:1]
            query, output, lse = (each.view(len(query), 1, -1, *each.shape[3:]) for each in (query, output, lse))
        looks = list(self._looks(rows))
        if not looks:
            return
        pieces, tiles = [look.piece for look in looks], [look.tile for look in looks]
        keys = [BLOCK * (int(look.blocks[-1]) + 1) for look in looks]
        index = _indexed([Extent(1, count) for count in keys], 1, [look.blocks for look in looks])
        spans = [(p * self.dual.stride, p * self.dual.stride + n) for p, n in zip(pieces, keys, strict=True)]
        held = cut(self.held, self.request, spans, slice(head, head + 1))
        asked = query[pieces, tiles, :, head]
        found = self.kernel(asked.flatten(1, 2), held, index, scale=self.scale)
        output[pieces, tiles, :, head] = found.output.view(asked.shape)
        lse[pieces, tiles, :, head] = found.lse.view(asked.shape[:-1]).to(lse.dtype)

    def _looks(self, rows: list[Rows]) -> Iterator[_Look]:
        size, pieces = self.dual.stride // BLOCK, np.arange(self.run.piece + 1)
        for tile, row in enumerate(rows):
            ends = np.searchsorted(row, pieces * size)
            for piece in np.flatnonzero(np.diff(ends)).tolist():
                yield _Look(piece, tile, row[ends[piece] : ends[piece + 1]] - np.int32(piece * size))

    def _before(self, head: int, tile: int) -> Rows:
        row = self._row(head, tile)
        return row[: np.searchsorted(row, self.run.piece * (self.dual.stride // BLOCK))]

    def _row(self, head: int, tile: int) -> Rows:
        return self.index.row(self.request, head, self.run.first + tile)

    def _turned(self, piece: int) -> torch.Tensor:
        places = np.arange(self.run.begin, self.run.end)
        turns, heat = self.dual.turns(places, piece), self.dual.heat(places)
        return self.rotation.turned(self.query, turns, heat) if turns.any() or heat is not None else self.query

    def _laid(self, query: torch.Tensor) -> torch.Tensor:
        """Queries in whole tiles, nothing where none stands."""
        run = self.run
        laid = query.new_zeros(run.tiles * run.lanes, *query.shape[1:])
        laid[run.front : run.front + len(query)] = query
        return laid


@dataclass(frozen=True, slots=True)
class _Look:
    """The key tiles, counted from a piece's beginning, that a tile of queries sees of it."""

    piece: int
    tile: int
    blocks: Rows


def _after(row: Rows, begin: int) -> Rows:
    return row[np.searchsorted(row, begin // BLOCK) :] - np.int32(begin // BLOCK)


def _indexed(extents: tuple[Extent, ...] | list[Extent], heads: int, rows: list[NDArray[np.int32]]) -> BlockIndex:
    starts = np.cumsum([0, *map(len, rows)]).astype(np.int32)
    return BlockIndex(tuple(extents), heads, starts, np.concatenate(rows))
