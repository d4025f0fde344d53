"""`attend`: what is asked is checked, laid out as work items, and launched."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ragctx.attention.index import BlockIndex
from ragctx.attention.kernels.held import Pages, Rows
from ragctx.attention.kernels.triton import language, shapes
from ragctx.attention.kernels.triton.checks import check
from ragctx.attention.kernels.triton.decode import decode
from ragctx.attention.kernels.triton.merge import merge
from ragctx.attention.kernels.triton.pages import Addressed, Paged, addressed
from ragctx.attention.kernels.triton.prefill import prefill
from ragctx.attention.kernels.triton.work import Items, Work
from ragctx.attention.merge import Attended
from ragctx.errors import ConfigError, MissingExtra

if TYPE_CHECKING:
    import torch

SPLIT = 8
"""Tiles of a split of a decoding row: 512 keys, enough to hide a program's start, few enough to fill a GPU."""

_LANES = 16


def supports(width: int, dtype: torch.dtype) -> str:
    """Why the kernels cannot take heads of this size and type; empty where they can.

    Example:
        >>> import torch
        >>> supports(64, torch.bfloat16), supports(80, torch.bfloat16)
        ('', 'heads of 80: the Triton kernels take 16, 32, 64, 128, 256 in torch.bfloat16')
    """
    import torch

    if dtype not in (torch.bfloat16, torch.float16, torch.float32):
        return f"{dtype}: the Triton kernels take bfloat16, float16 and float32"
    widths = shapes.WIDTHS[dtype.itemsize * 8]
    return (
        "" if width in widths else f"heads of {width}: the Triton kernels take {', '.join(map(str, widths))} in {dtype}"
    )


def ready(device: torch.device) -> str:
    """Why nothing can be launched on a device; empty where it can.

    Tensors in host memory are taken under Triton's interpreter only.
    """
    if not language.FOUND:
        return str(MissingExtra("attention on a GPU", "gpu", "triton"))
    import triton

    if device.type == "cuda" or triton.knobs.runtime.interpret:
        return ""
    return f"the tensors are on {device}: the Triton kernels need a GPU, elsewhere use ragctx.attention.kernels.cpu"


def precision(dtype: torch.dtype) -> str:
    """How products of a dtype are taken: float32 on NVIDIA as three TF32 products, which keep it to about 1e-6."""
    import torch

    return "tf32x3" if dtype == torch.float32 and torch.version.hip is None else "ieee"


def attend(
    query: torch.Tensor,
    held: Rows | Pages | Paged,
    index: BlockIndex,
    *,
    scale: float = 0.0,
    output: torch.Tensor | None = None,
) -> Attended:
    """Causal attention of each request's queries over the key tiles of its rows, on a GPU.

    Whole query tiles go to a program each, or to several where a KV head has many query heads; rows of few queries
    (decoding, and short ends of a prompt) are split along their keys and merged by their log-sum-exps.

    Args:
        query: [queries of all requests one after the other, heads, width], any strides but a dense last dimension.
        held: the keys and values, as rows or pages, of the query's dtype and on its device.
        index: which tiles are seen.
        scale: of the scores, positive; 1 / sqrt(width) by default.
        output: where to write, of the query's shape; new by default.

    Raises:
        ConfigError: no Triton or no GPU, a head size or dtype that the kernels lack, or tensors that do not fit.
    """
    import torch

    why = ready(query.device) or supports(query.shape[-1], query.dtype)
    if why:
        raise ConfigError(why)
    check(query, held, index, scale, output)
    told = addressed(held)
    written = torch.empty_like(query, memory_format=torch.contiguous_format) if output is None else output
    lse = torch.empty(query.shape[:2], dtype=torch.float32, device=query.device)
    group, amd = query.shape[1] // index.heads, torch.version.hip is not None
    of = (query.shape[2], query.element_size() * 8, group)
    big, small = shapes.wide(*of, amd=amd), shapes.narrow(*of, amd=amd)
    work = Work.of(index, group, wide=big.rows, narrow=small.rows, split=SPLIT)
    blocks = torch.from_numpy(index.blocks).to(query.device)
    call = _Call(query, told, blocks, written, lse, group, (scale or query.shape[2] ** -0.5) * math.log2(math.e))
    call.wide(work, big)
    call.few(work, small)
    return Attended(written, lse)


class _Call:
    """The arguments that the launches share."""

    def __init__(
        self, query: torch.Tensor, told: Addressed, blocks: torch.Tensor, output: torch.Tensor, lse: torch.Tensor,
        group: int, scale: float,
    ) -> None:  # fmt: skip
        self.query, self.told, self.blocks, self.output, self.lse = query, told, blocks, output, lse
        self.group, self.scale = group, scale

    def wide(self, work: Work, shape: shapes.Shape) -> None:
        """Whole query tiles."""
        if not len(work.wide):
            return
        prefill[(len(work.wide),)](
            self.query, self.told.keys, self.told.values, self.output, self.lse, self._items(work.wide), *self._found(),
            self.query.shape[1], self.scale, *self.query.stride()[:2], *self.output.stride()[:2], *self.told.strides,
            **self._constants(shape),
        )  # fmt: skip

    def few(self, work: Work, shape: shapes.Shape) -> None:
        """Rows of few queries: splits, then merges."""
        import torch

        if not len(work.splits):
            return
        slots, width = len(work.splits), self.query.shape[2]
        sums = torch.empty(slots, shape.rows, width, dtype=torch.float32, device=self.query.device)
        lse = torch.empty(slots, shape.rows, dtype=torch.float32, device=self.query.device)
        decode[(slots,)](
            self.query, self.told.keys, self.told.values, sums, lse, self._items(work.splits), *self._found(),
            self.scale, *self.query.stride()[:2], *self.told.strides, **self._constants(shape),
        )  # fmt: skip
        merge[(len(work.merges), shape.rows)](
            sums, lse, self.output, self.lse, self._items(work.merges), self.query.shape[1], *self.output.stride()[:2],
            group=self.group, width=width, rows=shape.rows, lanes=_LANES, num_warps=4, enable_fp_fusion=True,
        )  # fmt: skip

    def _items(self, items: Items) -> torch.Tensor:
        import torch

        return torch.from_numpy(items).to(self.query.device)

    def _found(self) -> tuple[Any, ...]:
        return self.blocks, self.told.table, self.told.table.stride(0)

    def _constants(self, shape: shapes.Shape) -> dict[str, Any]:
        return {
            "group": self.group, "width": self.query.shape[2], "rows": shape.rows, "keys": shape.keys,
            "page": self.told.page, "precision": precision(self.query.dtype),
            "num_warps": shape.warps, "num_stages": shape.stages, "enable_fp_fusion": True,
        }  # fmt: skip
