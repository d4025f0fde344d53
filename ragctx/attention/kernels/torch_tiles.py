"""Attention over an index in torch, tile by tile: where no kernel is compiled, or none takes the head size or dtype.

The same contract as the compiled kernels, in float32. Only the tiles that a row names are read, so the cost falls with
the density, but each row is several calls of torch: slower by an order of magnitude.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ragctx.attention.extents import BLOCK
from ragctx.attention.index import BlockIndex
from ragctx.attention.kernels.checks import check
from ragctx.attention.kernels.held import Pages, Rows
from ragctx.attention.merge import Attended

if TYPE_CHECKING:
    import torch


def attend(
    query: torch.Tensor,
    held: Rows | Pages,
    index: BlockIndex,
    *,
    scale: float = 0.0,
    threads: int = 1,
    output: torch.Tensor | None = None,
) -> Attended:
    """As `ragctx.attention.kernels.cpu.attend`; `threads` is torch's own setting and not touched.

    Example:
        >>> import torch
        >>> from ragctx.attention import Extent
        >>> q, k, v = torch.randn(9, 4, 8), torch.randn(9, 2, 8), torch.randn(9, 2, 8)
        >>> attend(q, Rows([k], [v]), BlockIndex.dense([Extent(9, 9)], 2)).lse.shape
        torch.Size([9, 4])
    """
    import torch

    check(query, held, index, scale, threads, output)
    into = torch.empty_like(query) if output is None else output
    lse = torch.empty(query.shape[:2], dtype=torch.float32, device=query.device)
    group, by, at = query.shape[1] // index.heads, scale or query.shape[2] ** -0.5, 0
    for request, extent in enumerate(index.extents):
        for head in range(index.heads):
            keys, values = held.of(request, head, extent.keys)
            heads = slice(head * group, (head + 1) * group)
            for tile in range(extent.tiles):
                begin, end = extent.tile(tile)
                rows = slice(at + begin - extent.first, at + end - extent.first)
                seen = _tokens(index, request, head, tile)
                part = _row(query[rows, heads].float(), keys[seen].float(), values[seen].float(), seen, begin, by)
                into[rows, heads], lse[rows, heads] = part.output.to(into.dtype), part.lse
        at += extent.queries
    return Attended(into, lse)


def _tokens(index: BlockIndex, request: int, head: int, tile: int) -> torch.Tensor:
    """Positions of the keys in the tiles of a row."""
    import torch

    tiles = torch.from_numpy(index.row(request, head, tile)).long()
    tokens = (tiles[:, None] * BLOCK + torch.arange(BLOCK)).flatten()
    return tokens[tokens < index.extents[request].keys]


def _row(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, seen: torch.Tensor, begin: int, scale: float
) -> Attended:
    import torch

    scores = torch.einsum("qhd,kd->qhk", query, keys) * scale
    later = seen[None] > torch.arange(begin, begin + len(query))[:, None]
    scores = scores.masked_fill(later.to(scores.device)[:, None], -torch.inf)
    lse = torch.logsumexp(scores, -1)
    return Attended(torch.einsum("qhk,kd->qhd", torch.exp(scores - lse[..., None]), values), lse)
