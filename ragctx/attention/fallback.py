"""The kernel of machines that have none: the oracle's sums in torch, in float32, with the kernels' signature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ragctx.attention import reference
from ragctx.attention.index import BlockIndex
from ragctx.attention.kernels.cpu.call import Pages, Rows
from ragctx.attention.merge import Attended
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    import torch


def attend(query: torch.Tensor, held: Rows | Pages, index: BlockIndex, *, scale: float = 0.0) -> Attended:
    """Causal attention over an index, without a compiled kernel: right, and slower than dense.

    Args:
        query: [queries of all requests one after the other, heads, width].
        held: keys and values as rows.
        index: which tiles are seen.
        scale: of the scores; 1 / sqrt(width) by default.

    Raises:
        ConfigError: keys and values are pages, or do not fit the index.
    """
    import torch

    if isinstance(held, Pages):
        raise ConfigError("pages need a compiled kernel: reinstall ragctx where a C++ compiler is")
    exact = torch.promote_types(query.dtype, torch.float32)
    found = reference.attend(query, held.keys, held.values, index, scale=scale, dtype=exact)
    return Attended(found.output.to(query.dtype), found.lse)
