"""What is refused before a launch: a kernel reads and writes where it is told to, and no GPU says when that is wrong.

Nothing here waits for the device, so what stands in a page table is not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from ragctx.attention.extents import BLOCK
from ragctx.attention.index import BlockIndex
from ragctx.attention.kernels.held import Pages, Rows
from ragctx.attention.kernels.triton.pages import Paged
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    import torch


def check(
    query: torch.Tensor, held: Rows | Pages | Paged, index: BlockIndex, scale: float, output: torch.Tensor | None
) -> None:
    """Refuse a call whose parts do not fit each other.

    Raises:
        ConfigError: with what does not fit, in numbers.
    """
    found = _rows(query, held, index) if isinstance(held, Rows) else _pages(query, held, index)
    for why in chain(_query(query, index, scale), found, () if output is None else _output(query, output)):
        raise ConfigError(why)


def _query(query: torch.Tensor, index: BlockIndex, scale: float) -> Iterator[str]:
    queries = sum(extent.queries for extent in index.extents)
    if query.ndim != 3 or query.stride(-1) != 1:
        yield f"queries are [tokens, heads, width] with a dense width, got {tuple(query.shape)} by {query.stride()}"
    if query.shape[0] != queries or query.shape[1] % index.heads:
        yield f"the index is of {queries} queries and {index.heads} KV heads, the query is {tuple(query.shape)}"
    if not (math.isfinite(scale) and scale >= 0.0):
        yield f"the scale must be a positive number, got {scale}"


def _rows(query: torch.Tensor, held: Rows, index: BlockIndex) -> Iterator[str]:
    wanted = [(extent.keys, index.heads, query.shape[-1]) for extent in index.extents]
    for tensors in (held.keys, held.values):
        given = [tuple(tensor.shape) for tensor in tensors]
        if given != wanted:
            yield f"the index is of keys {wanted}, the rows are {given}"
        yield from chain.from_iterable(_alike(query, tensor) for tensor in tensors)


def _pages(query: torch.Tensor, held: Pages | Paged, index: BlockIndex) -> Iterator[str]:
    paged = Paged.of(held.cache, held.table, "transposed") if isinstance(held, Pages) else held
    table, page, wanted = paged.table, paged.keys.shape[2], (index.heads, query.shape[-1])
    for part in (paged.keys, paged.values):
        if part.shape != paged.keys.shape or (part.shape[1], part.shape[3]) != wanted:
            yield f"pages of {wanted[0]} KV heads of {wanted[1]} are needed, got {tuple(part.shape)}"
        yield from _alike(query, part)
    if page < 1 or (page % BLOCK and BLOCK % page):
        yield f"pages of {page} tokens: a tile of {BLOCK} must hold whole pages, or a page whole tiles"
    if table.ndim != 2 or table.itemsize != 4 or table.is_floating_point() or table.device != query.device:
        yield f"the page table is int32 [requests, pages] on {query.device}, got {table.dtype} {tuple(table.shape)}"
    longest = max(extent.keys for extent in index.extents)
    if len(table) < len(index.extents) or table.shape[1] * page < longest:
        yield f"{len(index.extents)} requests of {longest} keys do not fit a table of {tuple(table.shape)} x {page}"


def _output(query: torch.Tensor, output: torch.Tensor) -> Iterator[str]:
    if output.shape != query.shape or output.stride(-1) != 1:
        yield f"the output is {tuple(output.shape)} by {output.stride()}, the query {tuple(query.shape)}, last dense"
    yield from _alike(query, output)


def _alike(query: torch.Tensor, other: torch.Tensor) -> Iterator[str]:
    if (other.dtype, other.device) != (query.dtype, query.device):
        yield f"queries are {query.dtype} on {query.device}, others {other.dtype} on {other.device}: make them alike"
