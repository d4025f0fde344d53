"""The kernel's own view of a call, and the tensors behind it: `call.h` field by field."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ragctx.attention.index import BlockIndex

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
        *((name, _POINTER) for name in ("lse", "key_of", "value_of")),
        *((name, _I64) for name in ("key_token", "key_head", "value_token", "value_head")),
        ("cache", _POINTER),
        *((name, _I64) for name in ("block_stride", "head_stride")),
        ("pages", _POINTER),
    )


@dataclass(frozen=True, slots=True)
class Rows:
    """Keys and values of each request as tensors [keys, KV heads, width] whose last dimension is dense."""

    keys: Sequence[torch.Tensor]
    values: Sequence[torch.Tensor]

    def into(self, call: Call, kept: list[Any]) -> None:
        """Write where they are; what must live as long as the call goes to `kept`."""
        for name, tensors in (("key", self.keys), ("value", self.values)):
            pointers = (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))
            kept.append(pointers)
            setattr(call, f"{name}_of", ctypes.addressof(pointers))
            setattr(call, f"{name}_token", tensors[0].stride(0))
            setattr(call, f"{name}_head", tensors[0].stride(1))


@dataclass(frozen=True, slots=True)
class Pages:
    """Keys and values in vLLM's pages.

    Attributes:
        cache: [pages, KV heads, page, 2 * width], of each page and head first the keys, transposed, then the values.
        table: int32 [requests, most pages], which pages a request has, in order.
    """

    cache: torch.Tensor
    table: torch.Tensor

    def into(self, call: Call, kept: list[Any]) -> None:
        """As for `Rows`."""
        table = self.table.contiguous()
        kept.append(table)
        call.cache, call.pages, call.most_pages = self.cache.data_ptr(), table.data_ptr(), table.shape[1]
        call.page, call.block_stride, call.head_stride = self.cache.shape[2], *self.cache.stride()[:2]


def written(
    query: torch.Tensor,
    output: torch.Tensor,
    lse: torch.Tensor,
    held: Rows | Pages,
    index: BlockIndex,
    scale: float,
    threads: int,
) -> tuple[Call, list[Any]]:
    """The call, and what must not be freed before it is over."""
    import torch

    queries, keys = (np.array([getattr(e, name) for e in index.extents], np.int32) for name in ("queries", "keys"))
    call = Call(
        dtype=BF16 if query.dtype == torch.bfloat16 else F32, heads=query.shape[1], kv_heads=index.heads,
        width=query.shape[2], threads=threads, requests=len(index.extents), scale=scale,
        queries=queries.ctypes.data, keys=keys.ctypes.data,
        starts=index.starts.ctypes.data, blocks=index.blocks.ctypes.data,
        query=query.data_ptr(), query_token=query.stride(0), query_head=query.stride(1),
        output=output.data_ptr(), output_token=output.stride(0), output_head=output.stride(1), lse=lse.data_ptr(),
    )  # fmt: skip
    kept: list[Any] = [queries, keys]
    held.into(call, kept)
    return call, kept
