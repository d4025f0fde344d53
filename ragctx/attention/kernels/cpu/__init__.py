"""The compiled kernel: dense or sparse attention in C++ for four instruction sets, over rows or vLLM's pages.

Queries are the lanes of vectors; keys and values are packed once for all query tiles and heads of a group. The library
of the fastest instruction set that this machine has is loaded; float32 is never rounded to bfloat16.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from ragctx.attention.index import BlockIndex
from ragctx.attention.kernels.checks import check
from ragctx.attention.kernels.cpu import libraries
from ragctx.attention.kernels.cpu.call import written
from ragctx.attention.kernels.held import Pages, Rows
from ragctx.attention.merge import Attended
from ragctx.errors import ConfigError, LimitError

if TYPE_CHECKING:
    import torch

__all__ = ["Pages", "Rows", "attend", "compiled", "supports"]

_STEP, _WIDEST = 16, 256  # of heads' widths, as in `pack.h`


def compiled(dtype: torch.dtype | None = None, instructions: str = "") -> str:
    """The instruction set whose library computes here: "avx512bf16", "avx512", "avx2" or "portable".

    Args:
        dtype: what is computed on; bfloat16 by default. The set may differ, since one of them rounds.
        instructions: one by name, or what the environment variable `RAGCTX_ATTENTION_INSTRUCTIONS` names.

    Raises:
        ConfigError: none is built, or what is named cannot be had; with the remedy.
    """
    return libraries.chosen(str(dtype) == "torch.float32", instructions)


def supports(width: int, dtype: torch.dtype) -> str:
    """Why heads of a width in numbers of a type cannot be computed; empty where they can.

    Example:
        >>> import torch
        >>> supports(64, torch.bfloat16), supports(64, torch.float16)
        ('', 'torch.float16: the compiled kernel takes float32 and bfloat16')
    """
    if str(dtype) not in {"torch.float32", "torch.bfloat16"}:
        return f"{dtype}: the compiled kernel takes float32 and bfloat16"
    if width % _STEP or not _STEP <= width <= _WIDEST:
        return f"heads of width {width}: the compiled kernel takes multiples of {_STEP} up to {_WIDEST}"
    return ""


def attend(
    query: torch.Tensor,
    held: Rows | Pages,
    index: BlockIndex,
    *,
    scale: float = 0.0,
    threads: int = 1,
    output: torch.Tensor | None = None,
    instructions: str = "",
) -> Attended:
    """Causal attention of each request's queries over the key tiles of its rows.

    The result does not depend on the number of threads, nor on whether keys and values are rows or pages.

    Args:
        query: [queries of all requests one after the other, heads, width], float32 or bfloat16; any strides but the
            last.
        held: keys and values, likewise.
        index: which tiles are seen; `BlockIndex.dense` for all.
        scale: of the scores; 1 / sqrt(width) by default.
        threads: how many compute.
        output: where the result goes; new memory by default.
        instructions: an instruction set by name, see `compiled`.

    Raises:
        ConfigError: no library is built, or it does not take what it is given.
        LimitError: memory is short.

    Example:
        >>> import torch
        >>> from ragctx.attention import Extent
        >>> from ragctx.attention.kernels.choice import kernel
        >>> q, k, v = torch.randn(9, 4, 16), torch.randn(9, 2, 16), torch.randn(9, 2, 16)
        >>> kernel(16, q.dtype).attend(q, Rows([k], [v]), BlockIndex.dense([Extent(9, 9)], 2)).output.shape
        torch.Size([9, 4, 16])
    """
    import torch

    check(query, held, index, scale, threads, output)
    _take(query)
    library = libraries.library(compiled(query.dtype, instructions))
    into = torch.empty(query.shape, dtype=query.dtype) if output is None else output
    lse = torch.empty(query.shape[:2], dtype=torch.float32)
    call, kept = written(query, into, lse, held, index, scale or query.shape[2] ** -0.5, threads)
    failed = library.ragctx_attend(ctypes.byref(call))
    del kept  # lived as long as the call
    if failed:
        raise LimitError("memory is too short to pack the keys and values: give fewer tokens or requests at once")
    return Attended(into, lse)


def _take(query: torch.Tensor) -> None:
    why = supports(query.shape[2], query.dtype)
    if not why and query.device.type != "cpu":
        why = f"queries on {query.device}: the compiled kernel computes on the CPU"
    if not why and query.stride(2) != 1:
        why = f"the last dimension of queries must be dense, its stride is {query.stride(2)}"
    if why:
        raise ConfigError(why)
