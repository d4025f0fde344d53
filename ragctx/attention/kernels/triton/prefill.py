"""Block-sparse attention of whole query tiles: one program for up to `rows` packed rows of a query tile."""

from __future__ import annotations

from ragctx.attention.kernels.triton.language import jit, tl
from ragctx.attention.kernels.triton.tile import fold, item


@jit
def prefill(
    query: tl.tensor, key: tl.tensor, value: tl.tensor, output: tl.tensor, lse: tl.tensor,
    items: tl.tensor, blocks: tl.tensor, table: tl.tensor, most: tl.tensor, heads: tl.tensor, scale: tl.tensor,
    query_token: tl.tensor, query_head: tl.tensor, output_token: tl.tensor, output_head: tl.tensor,
    key_page: tl.tensor, key_head: tl.tensor, key_token: tl.tensor, key_dim: tl.tensor,
    value_page: tl.tensor, value_head: tl.tensor, value_token: tl.tensor, value_dim: tl.tensor,
    group: tl.constexpr, width: tl.constexpr, rows: tl.constexpr, keys: tl.constexpr,
    page: tl.constexpr, precision: tl.constexpr,
) -> None:  # fmt: skip
    """Output and log-sum-exp of one work item; every row of an index ends with the tile of the queries themselves."""
    token, position, queries, request, head, begin, end, first = item(items, tl.program_id(0))
    packed = first + tl.arange(0, rows)
    real, dims = packed < queries * group, tl.arange(0, width)
    row, query_heads = (token + packed // group).to(tl.int64), head * group + packed % group
    at = row * query_token + query_heads * query_head
    rotated = tl.load(query + at[:, None] + dims[None, :], mask=real[:, None], other=0.0)
    peak, total, sums = fold(
        rotated, key + head * key_head, value + head * value_head, blocks, table, most, scale,
        position, queries, request, begin, end, packed,
        key_page, key_token, key_dim, value_page, value_token, value_dim, group, width, rows, keys, page, precision,
    )  # fmt: skip
    to = row * output_token + query_heads * output_head
    written = (sums / total[:, None]).to(output.dtype.element_ty)
    tl.store(output + to[:, None] + dims[None, :], written, mask=real[:, None])
    tl.store(lse + row * heads + query_heads, (peak + tl.log2(total)) * 0.6931471805599453, mask=real)
