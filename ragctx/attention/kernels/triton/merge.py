"""The splits of a decoding row made one by their log-sum-exps."""

from __future__ import annotations

from ragctx.attention.kernels.triton.language import jit, tl
from ragctx.attention.kernels.triton.tile import item


@jit
def merge(
    part_sums: tl.tensor, part_lse: tl.tensor, output: tl.tensor, lse: tl.tensor,
    items: tl.tensor, heads: tl.tensor, output_token: tl.tensor, output_head: tl.tensor,
    group: tl.constexpr, width: tl.constexpr, rows: tl.constexpr, lanes: tl.constexpr,
) -> None:  # fmt: skip
    """Output and log-sum-exp of one packed row, from the slots [begin, end) of its item, `lanes` slots at a time."""
    token, _position, queries, _request, head, begin, end, first = item(items, tl.program_id(0))
    row = tl.program_id(1)
    packed, dims = first + row, tl.arange(0, width)
    if packed < queries * group:
        peak = tl.full([1], float("-inf"), tl.float32)
        total = tl.zeros([1], tl.float32)
        sums = tl.zeros([width], tl.float32)
        for slot in range(begin, end, lanes):
            slots = slot + tl.arange(0, lanes)
            held = slots < end
            at = slots.to(tl.int64) * rows + row
            parts = tl.load(part_lse + at, mask=held, other=float("-inf"))
            partial = tl.load(part_sums + at[:, None] * width + dims[None, :], mask=held[:, None], other=0.0)
            higher = tl.maximum(peak, tl.max(parts, 0))
            shrink = tl.exp2(peak - higher)
            weights = tl.exp2(parts - higher)
            total = total * shrink + tl.sum(weights, 0)
            sums = sums * shrink + tl.sum(partial * weights[:, None], 0)
            peak = higher
        tokens, query_head = (token + packed // group).to(tl.int64), head * group + packed % group
        to = output + tokens * output_token + query_head * output_head
        tl.store(to + dims, (sums / total).to(output.dtype.element_ty))
        tl.store(lse + tokens * heads + query_head + tl.arange(0, 1), (peak + tl.log2(total)) * 0.6931471805599453)
