"""The kernel's own view of a call: `call.h` field by field, written from tensors that were checked."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np

from ragctx.attention.index import BlockIndex
from ragctx.attention.kernels.held import Pages, Rows

if TYPE_CHECKING:
    import torch

F32, BF16 = 0, 1
_I32, _I64, _POINTER = ctypes.c_int32, ctypes.c_int64, ctypes.c_void_p


class Call(ctypes.Structure):
    """As in `call.h`."""

    _fields_ = (
        *((name, _I32) for name in ("dtype", "heads", "kv_heads", "width", "threads", "requests")),
        ("scale", ctypes.c_float),
        *((name, _I32) for name in ("page", "most_pages")),
        *((name, _POINTER) for name in ("queries", "keys", "starts", "blocks", "query")),
        *((name, _I64) for name in ("query_token", "query_head")),
        ("output", _POINTER),
        *((name, _I64) for name in ("output_token", "output_head")),
        *((name, _POINTER) for name in ("lse", "key_of", "value_of", "strides", "cache")),
        *((name, _I64) for name in ("block_stride", "head_stride")),
        ("pages", _POINTER),
    )


def written(
    query: torch.Tensor,
    output: torch.Tensor,
    lse: torch.Tensor,
    held: Rows | Pages,
    index: BlockIndex,
    scale: float,
    threads: int,
) -> tuple[Call, list[Any]]:
    """The call, and what must not be freed before it is over. Nothing is checked here, see `checks`."""
    import torch

    queries, keys = (np.array([getattr(e, name) for e in index.extents], np.int32) for name in ("queries", "keys"))
    starts, blocks = np.ascontiguousarray(index.starts), np.ascontiguousarray(index.blocks)
    call = Call(
        dtype=BF16 if query.dtype == torch.bfloat16 else F32, heads=query.shape[1], kv_heads=index.heads,
        width=query.shape[2], threads=threads, requests=len(index.extents), scale=scale,
        queries=queries.ctypes.data, keys=keys.ctypes.data, starts=starts.ctypes.data, blocks=blocks.ctypes.data,
        query=query.data_ptr(), query_token=query.stride(0), query_head=query.stride(1),
        output=output.data_ptr(), output_token=output.stride(0), output_head=output.stride(1), lse=lse.data_ptr(),
    )  # fmt: skip
    kept: list[Any] = [queries, keys, starts, blocks]
    if isinstance(held, Rows):
        _rows(call, held, kept)
    else:
        _pages(call, held, kept)
    return call, kept


def _rows(call: Call, held: Rows, kept: list[Any]) -> None:
    for name, tensors in (("key_of", held.keys), ("value_of", held.values)):
        pointers = (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))
        kept.append(pointers)
        setattr(call, name, ctypes.addressof(pointers))
    pairs = zip(held.keys, held.values, strict=True)
    strides = np.array([key.stride()[:2] + value.stride()[:2] for key, value in pairs], np.int64)
    kept.append(strides)
    call.strides = strides.ctypes.data


def _pages(call: Call, held: Pages, kept: list[Any]) -> None:
    table = held.table.contiguous()
    kept.append(table)
    call.cache, call.pages, call.most_pages = held.cache.data_ptr(), table.data_ptr(), table.shape[1]
    call.page = held.cache.shape[2]
    call.block_stride, call.head_stride = held.cache.stride(0), held.cache.stride(1)
