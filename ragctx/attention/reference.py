"""The oracle: attention over an index in torch, by the definition, in float64 unless told otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ragctx.attention.extents import BLOCK
from ragctx.attention.index import BlockIndex
from ragctx.attention.merge import Attended
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    import torch


def plain(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, seen: torch.Tensor | None = None, scale: float = 0.0
) -> Attended:
    """Softmax attention of some queries over some keys.

    Args:
        query: [queries, heads, width].
        key: [keys, KV heads, width]; each serves `heads / KV heads` query heads that stand together.
        value: likewise.
        seen: bool, [heads or 1, queries, keys]; everything by default.
        scale: of the scores; 1 / sqrt(width) by default.
    """
    import torch

    group = query.shape[1] // key.shape[1]
    keys, values = (part.repeat_interleave(group, 1) for part in (key, value))
    scores = torch.einsum("qhd,khd->hqk", query, keys) * (scale or query.shape[-1] ** -0.5)
    if seen is not None:
        scores = scores.masked_fill(~seen, -torch.inf)
    lse = torch.logsumexp(scores, -1)
    weights = torch.exp(scores - lse.masked_fill(lse == -torch.inf, 0.0)[..., None])
    return Attended(torch.einsum("hqk,khd->qhd", weights, values), lse.T)


def attend(
    query: torch.Tensor,
    keys: Sequence[torch.Tensor],
    values: Sequence[torch.Tensor],
    index: BlockIndex,
    *,
    scale: float = 0.0,
    dtype: torch.dtype | None = None,
) -> Attended:
    """Causal attention of each request's queries over the key tiles of its rows.

    Args:
        query: [queries of all requests one after the other, heads, width].
        keys: of each request [keys, KV heads, width].
        values: likewise.
        index: which tiles are seen.
        scale: of the scores; 1 / sqrt(width) by default.
        dtype: what is computed in; float64 by default.

    Raises:
        ConfigError: shapes and index do not fit each other.

    Example:
        >>> import torch
        >>> from ragctx.attention import Extent
        >>> q, k, v = torch.randn(9, 4, 8), torch.randn(9, 2, 8), torch.randn(9, 2, 8)
        >>> attend(q, [k], [v], BlockIndex.dense([Extent(9, 9)], 2)).output.shape
        torch.Size([9, 4, 8])
    """
    import torch

    fitting(query, keys, index)
    exact = dtype or torch.float64
    group, at, parts = query.shape[1] // index.heads, 0, []
    for request, extent in enumerate(index.extents):
        seen = torch.from_numpy(_seen(index, request)).repeat_interleave(group, 0)
        rows = query[at : at + extent.queries].to(exact)
        parts.append(plain(rows, keys[request].to(exact), values[request].to(exact), seen, scale))
        at += extent.queries
    return Attended(*(torch.cat(each) for each in zip(*parts, strict=True)))


def fitting(query: torch.Tensor, keys: Sequence[torch.Tensor], index: BlockIndex) -> None:
    """Refuse tensors that are not what the index speaks of.

    Raises:
        ConfigError: with both shapes.
    """
    wanted = [(extent.keys, index.heads, query.shape[-1]) for extent in index.extents]
    queries = sum(extent.queries for extent in index.extents)
    given = [tuple(key.shape) for key in keys]
    if given != wanted or query.shape[0] != queries or query.shape[1] % index.heads:
        raise ConfigError(
            f"the index is of {queries} queries and keys {wanted}, the tensors are {tuple(query.shape)} and {given}"
        )


def _seen(index: BlockIndex, request: int) -> np.ndarray:
    """Bool [KV heads, queries, keys]: in a chosen tile, and not after the query."""
    extent = index.extents[request]
    positions, tokens = np.arange(extent.first, extent.keys), np.arange(extent.keys)
    tiles = np.zeros((index.heads, extent.tiles, extent.base + extent.tiles), bool)
    for head in range(index.heads):
        for tile in range(extent.tiles):
            tiles[head, tile, index.row(request, head, tile)] = True
    chosen = tiles[:, positions // BLOCK - extent.base][:, :, tokens // BLOCK]
    return chosen & (tokens[None] <= positions[:, None])
