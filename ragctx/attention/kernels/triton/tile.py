"""What prefill and decoding share: a work item's queries folded over its tiles of keys.

Softmax runs in base 2 with log2(e) inside the scale. The query heads of a KV head are packed into the rows of one
matrix: packed row r is query r // group of the item with head r % group of the group, so that one load of keys and
values serves the whole group, whatever its size.
"""

from __future__ import annotations

from ragctx.attention.kernels.triton.language import jit, tl


@jit
def item(items: tl.tensor, number: tl.tensor) -> tl.tensor:
    """The eight numbers of a work item, named in `work.py`."""
    at = items + number * 8
    token, position, queries, request = tl.load(at), tl.load(at + 1), tl.load(at + 2), tl.load(at + 3)
    head, begin, end, first = tl.load(at + 4).to(tl.int64), tl.load(at + 5), tl.load(at + 6), tl.load(at + 7)
    return token, position, queries, request, head, begin, end, first


@jit
def places(
    table: tl.tensor, most: tl.tensor, request: tl.tensor, begin: tl.tensor, last: tl.tensor,
    key_page: tl.tensor, key_token: tl.tensor, value_page: tl.tensor, value_token: tl.tensor,
    page: tl.constexpr, keys: tl.constexpr,
) -> tl.tensor:  # fmt: skip
    """Where the `keys` tokens from `begin` on stand: for keys and for values a start and what each adds to it.

    Where they stand in one page, or are rows, the start is one wide number and the rest narrow and the same for every
    tile, which keeps the addresses out of the registers. Page numbers are widened before they are multiplied: page
    times stride passes 2^31 in every large cache.
    """
    lanes = tl.arange(0, keys)
    if page == 0:
        place = (tl.load(table + request) + begin).to(tl.int64)
        key_start, value_start = place * key_token, place * value_token
        key_along, value_along = lanes * key_token, lanes * value_token
    elif page % keys == 0:
        number = tl.load(table + request * most + begin // page, mask=begin <= last, other=0).to(tl.int64)
        key_start = number * key_page + begin % page * key_token
        value_start = number * value_page + begin % page * value_token
        key_along, value_along = lanes * key_token, lanes * value_token
    else:
        tokens = begin + lanes
        numbers = tl.load(table + request * most + tokens // page, mask=tokens <= last, other=0).to(tl.int64)
        key_start, value_start = begin * 0, begin * 0
        key_along = numbers * key_page + tokens % page * key_token
        value_along = numbers * value_page + tokens % page * value_token
    return key_start, key_along, value_start, value_along


@jit
def step(
    packed: tl.tensor, key: tl.tensor, value: tl.tensor, tokens: tl.tensor, positions: tl.tensor, last: tl.tensor,
    scale: tl.tensor, peak: tl.tensor, total: tl.tensor, sums: tl.tensor, precision: tl.constexpr,
) -> tl.tensor:  # fmt: skip
    """Fold the keys and values at `key` [width, keys] and `value` [keys, width] into peak, total and sums.

    What lies after the item's last query is not read at all: an unwritten cache may hold NaN, which no zero weight
    takes back. Every row sees the first token of every tile it is given, so that the peak is always finite.
    """
    held = tokens <= last
    keys = tl.load(key, mask=held[None, :], other=0.0)
    values = tl.load(value, mask=held[:, None], other=0.0)
    scores = tl.dot(packed, keys, input_precision=precision)
    scores = tl.where(tokens[None, :] <= positions[:, None], scores, float("-inf"))
    higher = tl.maximum(peak, tl.max(scores, 1) * scale)
    shrink = tl.exp2(peak - higher)
    weights = tl.exp2(scores * scale - higher[:, None])
    total = total * shrink + tl.sum(weights, 1)
    sums = tl.dot(weights.to(values.dtype), values, sums * shrink[:, None], input_precision=precision)
    return higher, total, sums


@jit
def fold(
    query: tl.tensor, key: tl.tensor, value: tl.tensor,
    blocks: tl.tensor, table: tl.tensor, most: tl.tensor, scale: tl.tensor,
    position: tl.tensor, queries: tl.tensor, request: tl.tensor, begin: tl.tensor, end: tl.tensor, packed: tl.tensor,
    key_page: tl.tensor, key_token: tl.tensor, key_dim: tl.tensor,
    value_page: tl.tensor, value_token: tl.tensor, value_dim: tl.tensor,
    group: tl.constexpr, width: tl.constexpr, rows: tl.constexpr, keys: tl.constexpr,
    page: tl.constexpr, precision: tl.constexpr,
) -> tl.tensor:  # fmt: skip
    """Peak, total and weighted sum of values over the tiles [begin, end) of the index, for the packed query rows.

    All tiles go through one masked loop. A second, unmasked one for those before the diagonal would save a compare a
    score, but two loops together spill registers and keep Hopper's matrix products from overlapping.
    """
    peak = tl.full([rows], float("-inf"), tl.float32)
    total = tl.zeros([rows], tl.float32)
    sums = tl.zeros([rows, width], tl.float32)
    lanes, dims = tl.arange(0, keys), tl.arange(0, width)
    positions, last = position + packed // group, position + queries - 1
    key_dims, value_dims = dims[:, None] * key_dim, dims[None, :] * value_dim
    parts = 64 // keys
    for number in range(begin * parts, end * parts):
        at = tl.load(blocks + number // parts) * 64 + number % parts * keys
        key_start, key_along, value_start, value_along = places(
            table, most, request, at, last, key_page, key_token, value_page, value_token, page, keys
        )
        peak, total, sums = step(
            query, key + key_start + (key_along[None, :] + key_dims),
            value + value_start + (value_along[:, None] + value_dims),
            at + lanes, positions, last, scale, peak, total, sums, precision,
        )  # fmt: skip
    return peak, total, sums
