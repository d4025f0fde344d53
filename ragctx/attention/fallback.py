"""The kernel of machines that have none: only the chosen tiles are read, tile after tile of queries, in torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ragctx.attention.extents import BLOCK
from ragctx.attention.index import BlockIndex
from ragctx.attention.kernels.cpu.call import Pages, Rows
from ragctx.attention.merge import Attended
from ragctx.attention.reference import fitting, plain
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    import torch


def attend(query: torch.Tensor, held: Rows | Pages, index: BlockIndex, *, scale: float = 0.0) -> Attended:
    """Causal attention over an index, without a compiled kernel: right on every device, and slow.

    Args:
        query: [queries of all requests one after the other, heads, width].
        held: keys and values as rows.
        index: which tiles are seen.
        scale: of the scores; 1 / sqrt(width) by default.

    Raises:
        ConfigError: keys and values are pages, or do not fit the index.

    Example:
        >>> import torch
        >>> from ragctx.attention import Extent
        >>> q, k, v = torch.randn(70, 4, 8), torch.randn(70, 2, 8), torch.randn(70, 2, 8)
        >>> index = BlockIndex.chosen([Extent(70, 70)], 2, lambda request, head, tile: [tile])
        >>> attend(q, Rows([k], [v]), index).lse.shape
        torch.Size([70, 4])
    """
    import torch

    if isinstance(held, Pages):
        raise ConfigError("pages need a compiled kernel: install ragctx where a C++ compiler is")
    fitting(query, held.keys, index)
    exact = torch.promote_types(query.dtype, torch.float32)
    output = torch.empty_like(query)
    lse = torch.empty(query.shape[:2], dtype=exact, device=query.device)
    group, at = query.shape[1] // index.heads, 0
    for request, extent in enumerate(index.extents):
        for tile in range(extent.tiles):
            begin, end = extent.tile(tile)
            rows = slice(at + begin - extent.first, at + end - extent.first)
            for head in range(index.heads):
                own = slice(head * group, (head + 1) * group)
                tokens = _tokens(index.row(request, head, tile), end)
                seen = torch.from_numpy(tokens <= np.arange(begin, end)[:, None])[None].to(query.device)
                chosen = torch.from_numpy(tokens).to(query.device)
                pair = (each[request][chosen, head : head + 1].to(exact) for each in (held.keys, held.values))
                found = plain(query[rows, own].to(exact), *pair, seen, scale)
                output[rows, own], lse[rows, own] = found.output.to(query.dtype), found.lse
        at += extent.queries
    return Attended(output, lse)


def _tokens(row: np.ndarray, end: int) -> np.ndarray:
    """The tokens of key tiles, none from `end` on."""
    tokens = (row[:, None] * np.int64(BLOCK) + np.arange(BLOCK)).ravel()
    return tokens[tokens < end]
