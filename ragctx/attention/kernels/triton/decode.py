"""Sparse attention of few queries: a row's tiles are split among programs, each of which leaves a partial result."""

from __future__ import annotations

from ragctx.attention.kernels.triton.language import jit, tl
from ragctx.attention.kernels.triton.tile import fold, item


@jit
def decode(
    query: tl.tensor, key: tl.tensor, value: tl.tensor, part_sums: tl.tensor, part_lse: tl.tensor,
    items: tl.tensor, blocks: tl.tensor, table: tl.tensor, most: tl.tensor, scale: tl.tensor,
    query_token: tl.tensor, query_head: tl.tensor,
    key_page: tl.tensor, key_head: tl.tensor, key_token: tl.tensor, key_dim: tl.tensor,
    value_page: tl.tensor, value_head: tl.tensor, value_token: tl.tensor, value_dim: tl.tensor,
    group: tl.constexpr, width: tl.constexpr, rows: tl.constexpr, keys: tl.constexpr,
    page: tl.constexpr, precision: tl.constexpr,
) -> None:  # fmt: skip
    """Output (float32 [slots, rows, width]) and base-2 log-sum-exp ([slots, rows]) of one split: program = slot."""
    slot = tl.program_id(0)
    token, position, queries, request, head, begin, end, first = item(items, slot)
    packed = first + tl.arange(0, rows)
    real, dims = packed < queries * group, tl.arange(0, width)
    at = (token + packed // group).to(tl.int64) * query_token + (head * group + packed % group) * query_head
    rotated = tl.load(query + at[:, None] + dims[None, :], mask=real[:, None], other=0.0)
    peak, total, sums = fold(
        rotated, key + head * key_head, value + head * value_head, blocks, table, most, scale,
        position, queries, request, begin, end, packed,
        key_page, key_token, key_dim, value_page, value_token, value_dim, group, width, rows, keys, page, precision,
    )  # fmt: skip
    to = slot.to(tl.int64) * rows + tl.arange(0, rows)
    tl.store(part_sums + to[:, None] * width + dims[None, :], sums / total[:, None], mask=real[:, None])
    tl.store(part_lse + to, peak + tl.log2(total), mask=real)
