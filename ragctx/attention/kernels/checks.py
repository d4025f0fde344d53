"""What every kernel of this machine refuses: tensors, pages and index that do not fit each other.

A kernel in C++ reads where it is told to, so whatever it would read wrongly is refused here, with what to do about it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ragctx.attention.extents import BLOCK
from ragctx.attention.index import BlockIndex
from ragctx.attention.kernels.held import Pages, Rows
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    import torch


def check(
    query: torch.Tensor, held: Rows | Pages, index: BlockIndex, scale: float, threads: int, output: torch.Tensor | None
) -> None:
    """Refuse a call that cannot be computed as it stands.

    Raises:
        ConfigError: with what does not fit, in numbers.
    """
    _refuse(query.ndim != 3, f"queries are [tokens, heads, width], got {tuple(query.shape)}")
    queries = sum(extent.queries for extent in index.extents)
    _refuse(len(query) != queries, f"the index is of {queries} queries, the tensor of {len(query)}: cut off padding")
    heads = query.shape[1]
    _refuse(heads % index.heads != 0, f"{heads} heads cannot share {index.heads} KV heads evenly")
    _refuse(not (math.isfinite(scale) and scale >= 0.0), f"the scale must be a positive number, got {scale}")
    _refuse(threads < 1, f"{threads} threads: give at least one")
    _check_gradient(query, held)
    if isinstance(held, Rows):
        _check_rows(query, held, index)
    else:
        _check_pages(query, held, index)
    if output is not None:
        _check_output(query, output)


def _check_gradient(query: torch.Tensor, held: Rows | Pages) -> None:
    import torch

    tensors = (query, *held.keys, *held.values) if isinstance(held, Rows) else (query, held.cache)
    wanted = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    _refuse(wanted, "no gradient comes out of this kernel: call it under torch.no_grad()")


def _check_rows(query: torch.Tensor, held: Rows, index: BlockIndex) -> None:
    wanted = [(extent.keys, index.heads, query.shape[2]) for extent in index.extents]
    for name, tensors in (("keys", held.keys), ("values", held.values)):
        given = [tuple(tensor.shape) for tensor in tensors]
        _refuse(given != wanted, f"the index is of {name} {wanted}, the tensors are {given}")
        for tensor in tensors:
            _alike(query, tensor, name)
            _dense(tensor, name)


def _check_pages(query: torch.Tensor, held: Pages, index: BlockIndex) -> None:
    cache, table, width = held.cache, held.table, query.shape[2]
    _refuse(
        cache.ndim != 4 or cache.shape[1] != index.heads or cache.shape[3] != 2 * width,
        f"pages are [pages, {index.heads} KV heads, page, 2 x {width}], got {tuple(cache.shape)}",
    )
    page = cache.shape[2]
    _refuse(page < 1 or page % BLOCK != 0, f"a page of {page} tokens is no multiple of {BLOCK}: set the block size so")
    _alike(query, cache, "pages")
    _refuse(cache.stride()[2:] != (2 * width, 1), f"a page must be dense, its strides are {cache.stride()}")
    _refuse(
        table.ndim != 2 or len(table) != len(index.extents) or str(table.dtype) != "torch.int32",
        f"the page table is int32 [{len(index.extents)} requests, pages], got {table.dtype} {tuple(table.shape)}",
    )
    _check_table(table, [-(-extent.keys // page) for extent in index.extents], len(cache))


def _check_table(table: torch.Tensor, counts: Sequence[int], pages: int) -> None:
    _refuse(table.shape[1] < max(counts), f"{max(counts)} pages are needed, the table has {table.shape[1]} a request")
    _refuse(table.device.type != "cpu", f"the page table is on {table.device}: move it to the CPU")
    rows = table.numpy()
    for request, count in enumerate(counts):
        used = rows[request, :count]
        wrong = bool(((used < 0) | (used >= pages)).any())
        _refuse(wrong, f"the page table of request {request} names pages that are not among the {pages} of the cache")


def _check_output(query: torch.Tensor, output: torch.Tensor) -> None:
    wanted, given = tuple(query.shape), tuple(output.shape)
    _refuse(wanted != given, f"the output must have the queries' shape {wanted}, got {given}")
    _alike(query, output, "output")
    _dense(output, "output")
    spread = [size > 1 and stride <= 0 for size, stride in zip(given, output.stride(), strict=True)]
    _refuse(any(spread), "rows of the output lie on each other: give it memory of its own")


def _alike(query: torch.Tensor, other: torch.Tensor, name: str) -> None:
    wanted, given = (query.dtype, query.device), (other.dtype, other.device)
    _refuse(
        wanted != given, f"queries are {wanted[0]} on {wanted[1]}, {name} {given[0]} on {given[1]}: make them alike"
    )


def _dense(tensor: torch.Tensor, name: str) -> None:
    _refuse(tensor.stride(2) != 1, f"the last dimension of {name} must be dense, its stride is {tensor.stride(2)}")


def _refuse(wrong: bool, why: str) -> None:
    if wrong:
        raise ConfigError(why)
