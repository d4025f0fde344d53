"""Dual chunk attention against its definition with one softmax, and what its positions promise."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragctx.attention import BlockIndex, Extent
from ragctx.attention.positions import DualChunk, Rotation
from ragctx.attention.positions.frequencies import plain
from ragctx.errors import ConfigError

torch = pytest.importorskip("torch", reason="needs the extra local")

WIDTH = 16
ROTATION = Rotation(tuple(plain(WIDTH, 100.0).tolist()))
DUAL = DualChunk(chunk=192, local=64)  # pieces of 128


def kernel(query, held, index, *, scale=0.0):
    """The oracle as a kernel: what is tested here is where queries are turned to, not any kernel's precision."""
    from ragctx.attention import reference

    return reference.attend(query, held.keys, held.values, index, scale=scale)


def dual_attention(query, key, value, index, dual=DUAL, kernel=kernel, rotation=ROTATION):
    from ragctx.attention.kernels.held import Rows
    from ragctx.attention.positions import attend

    return attend(query, Rows([key], [value]), index, dual, rotation, kernel)


def turned(states, places):
    """Each head's numbers i and i + half turned by place * frequency: the definition of rotary positions."""
    half = WIDTH // 2
    rates = torch.tensor(ROTATION.frequencies, dtype=torch.float64)
    angles = torch.as_tensor(places)[:, None] * rates
    sine, cosine = angles.sin()[:, None], angles.cos()[:, None]
    first, second = states[..., :half], states[..., half:]
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)


def defined(query, key, value, seen, dual=DUAL, heat=None):
    """Dual chunk attention of unrotated queries and keys: three scores, one chosen for each pair, one softmax."""
    n, s, c = len(key), dual.stride, dual.chunk
    at, group = np.arange(n), query.shape[1] // key.shape[1]
    keys = turned(key, at % s).repeat_interleave(group, 1)
    asked = {
        "own": at % s,
        "before": np.minimum(at % s + s, c - 1),
        "further": np.full(n, c - 1),
    }
    scores = {name: torch.einsum("qhd,khd->hqk", turned(query, places), keys) for name, places in asked.items()}
    back = torch.as_tensor(at[:, None] // s - at[None] // s)
    chosen = torch.where(back == 0, scores["own"], torch.where(back == 1, scores["before"], scores["further"]))
    if heat is not None:
        chosen = chosen * torch.as_tensor(heat)[:, None]
    chosen = (chosen * WIDTH**-0.5).masked_fill(~(seen & torch.as_tensor(at[:, None] >= at[None])), -torch.inf)
    output = torch.einsum("hqk,khd->qhd", chosen.softmax(-1), value.repeat_interleave(group, 1))
    return output, chosen.logsumexp(-1).T


def drawn(tokens, heads=4, kv=2, seed=0):
    made = torch.Generator().manual_seed(seed)
    return [torch.randn(tokens, n, WIDTH, generator=made, dtype=torch.float64) for n in (heads, kv, kv)]


def rotated(query, key):
    places = np.arange(len(key))
    return turned(query, places), turned(key, places)


def some(extent, kv, seed=1):
    chance = np.random.default_rng(seed)
    masks = chance.random((kv, extent.tiles, extent.base + extent.tiles)) < 0.4
    return BlockIndex.masked([extent], kv, [masks])


def seen_by(index, group, tokens):
    extent = index.extents[0]
    mask = torch.zeros(index.heads, tokens, tokens, dtype=torch.bool)
    for head in range(index.heads):
        for tile in range(extent.tiles):
            begin, end = extent.tile(tile)
            for block in index.row(0, head, tile).tolist():
                mask[head, begin:end, block * 64 : block * 64 + 64] = True
    return mask.repeat_interleave(group, 0)


@pytest.mark.parametrize("tokens", [1, 64, 100, 130, 257, 500, 650])
@pytest.mark.parametrize(("heads", "kv"), [(4, 2), (3, 3), (4, 1)])
def test_it_is_its_definition_with_one_softmax(tokens, heads, kv):
    query, key, value = drawn(tokens, heads, kv)
    extent = Extent(tokens, tokens)
    for index in (BlockIndex.dense([extent], kv), some(extent, kv)):
        wanted, lse = defined(query, key, value, seen_by(index, heads // kv, tokens))
        found = dual_attention(*rotated(query, key), value, index)
        assert torch.allclose(found.output, wanted, atol=1e-9)
        assert torch.allclose(found.lse, lse, atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_any_setting_and_any_selection(data):
    local = data.draw(st.integers(1, 128))
    stride = data.draw(st.sampled_from([n for n in (64, 128, 192) if n >= local]))
    dual = DualChunk(stride + local, local, trained=data.draw(st.sampled_from([0, 100, 400])))
    tokens = data.draw(st.integers(1, 700))
    query, key, value = drawn(tokens, seed=tokens)
    index = some(Extent(tokens, tokens), 2, seed=data.draw(st.integers(0, 99)))
    heat = dual.heat(np.arange(tokens))
    wanted, lse = defined(query, key, value, seen_by(index, 2, tokens), dual, heat)
    found = dual_attention(*rotated(query, key), value, index, dual)
    assert torch.allclose(found.output, wanted, atol=1e-9)
    assert torch.allclose(found.lse, lse, atol=1e-9)


@pytest.mark.parametrize("tokens", [5, 128, 150, 192])
def test_up_to_a_chunk_it_is_plain_attention(tokens):
    from ragctx.attention import reference

    query, key, value = drawn(tokens)
    query, key = rotated(query, key)
    index = BlockIndex.dense([Extent(tokens, tokens)], 2)
    ours, plainly = dual_attention(query, key, value, index), reference.attend(query, [key], [value], index)
    assert torch.allclose(ours.output, plainly.output, atol=1e-9)
    beyond = drawn(260)
    asked, keys = rotated(*beyond[:2])
    index = BlockIndex.dense([Extent(260, 260)], 2)
    ours, plainly = (
        dual_attention(asked, keys, beyond[2], index),
        reference.attend(asked, [keys], [beyond[2]], index),
    )
    assert torch.allclose(ours.output[:192], plainly.output[:192], atol=1e-9)
    assert not torch.allclose(ours.output[200:], plainly.output[200:], atol=1e-3)


@pytest.mark.parametrize("dual", [DUAL, DualChunk(128, 64), DualChunk(200, 8), DualChunk.trained_to(8192)])
def test_distances_stay_in_the_chunk_and_near_ones_are_true(dual):
    places = np.unique(np.random.default_rng(0).integers(0, 6 * dual.chunk, 700))
    queries, keys = (each.ravel() for each in np.meshgrid(places, places))
    queries, keys = queries[keys <= queries], keys[keys <= queries]
    found, true = dual.distances(queries, keys), queries - keys
    assert found.min() >= 0
    assert found.max() < dual.chunk
    near = (true <= dual.local) | (queries < dual.chunk)
    assert near.any()
    assert np.array_equal(found[near], true[near])


@given(st.integers(0, 3000), st.integers(0, 3000))
def test_turns_are_what_makes_the_distances(one, other):
    key, query = sorted((one, other))
    turn = int(DUAL.turns(np.array([query]), key // DUAL.stride)[0])
    assert query + turn - key == int(DUAL.distances(np.array([query]), np.array([key]))[0])


@pytest.mark.parametrize("dual", [DUAL, DualChunk(192, 64, trained=200)])
def test_a_prompt_in_chunks_and_steps_is_the_prompt(dual):
    tokens = 530
    query, key, value = drawn(tokens)
    query, key = rotated(query, key)

    def rule(request, head, tile):
        return sorted({0, *range(1 + head, tile, 3), tile})

    whole = dual_attention(query, key, value, BlockIndex.chosen([Extent(tokens, tokens)], 2, rule), dual)
    for cuts in ((0, 64, 300, 529, 530), (0, 1, 130, 131, 400, 530)):
        for begin, end in pairwise(cuts):
            index = BlockIndex.chosen([Extent(end - begin, end)], 2, rule)
            part = dual_attention(query[begin:end], key[:end], value[:end], index, dual)
            assert torch.allclose(part.output, whole.output[begin:end], atol=1e-9)
            assert torch.allclose(part.lse, whole.lse[begin:end], atol=1e-9)


def test_requests_of_a_batch_do_not_meet():
    from ragctx.attention.kernels.held import Rows
    from ragctx.attention.positions import attend

    sizes = [Extent(300, 300), Extent(1, 450), Extent(70, 270)]
    each = [drawn(extent.keys, seed=extent.keys) for extent in sizes]
    query, keys, values = [], [], []
    for extent, (asked, key, value) in zip(sizes, each, strict=True):
        asked, key = rotated(asked, key)
        query.append(asked[extent.first :])
        keys.append(key)
        values.append(value)
    together = attend(torch.cat(query), Rows(keys, values), BlockIndex.dense(sizes, 2), DUAL, ROTATION, kernel)
    alone = [
        dual_attention(asked, key, value, BlockIndex.dense([extent], 2)).output
        for asked, key, value, extent in zip(query, keys, values, sizes, strict=True)
    ]
    assert torch.allclose(together.output, torch.cat(alone), atol=1e-9)


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-5), (torch.bfloat16, 3e-2)])
def test_errors_of_short_numbers_are_small(dtype, most):
    from ragctx.attention.kernels.torch_tiles import attend as kernel

    tokens = 600
    query, key, value = drawn(tokens, seed=3)
    index = BlockIndex.dense([Extent(tokens, tokens)], 2)
    asked, keys = (each.to(dtype) for each in rotated(query, key))
    # the definition on the very numbers that were given: turned back to where they came from
    back = [turned(each.double(), -np.arange(tokens)) for each in (asked, keys)]
    wanted, lse = defined(*back, value.to(dtype).double(), torch.ones(1, 1, 1, dtype=torch.bool))
    found = dual_attention(asked, keys, value.to(dtype), index, kernel=kernel)
    assert found.output.dtype == dtype
    assert float((found.output.double() - wanted).abs().max()) < most
    assert float((found.lse.double() - lse).abs().max()) < most


def test_pages_are_read_as_rows_are():
    from ragctx.attention.kernels.held import Pages, Rows
    from ragctx.attention.kernels.torch_tiles import attend as kernel
    from ragctx.attention.positions import attend

    sizes = [Extent(40, 300), Extent(1, 450)]
    each = [[states.float() for states in drawn(extent.keys, seed=extent.keys)] for extent in sizes]
    query = torch.cat([asked[extent.first :] for extent, (asked, _, _) in zip(sizes, each, strict=True)])
    rows = Rows([key for _, key, _ in each], [value for _, _, value in each])
    index = BlockIndex.dense(sizes, 2)
    wanted = attend(query, rows, index, DUAL, ROTATION, kernel)
    pages = Pages.holding(rows.keys, rows.values, page=64)
    found = attend(query, pages, index, DUAL, ROTATION, kernel)
    assert torch.allclose(found.output, wanted.output, atol=1e-6)
    assert torch.allclose(found.lse, wanted.lse, atol=1e-5)
    with pytest.raises(ConfigError, match="multiple of 256"):
        attend(query, Pages.holding(rows.keys, rows.values, page=256), index, DUAL, ROTATION, kernel)


@pytest.mark.parametrize(("chunk", "local"), [(100, 30), (128, 96), (64, 0), (64, 64)])
def test_settings_that_cannot_be_are_refused(chunk, local):
    with pytest.raises(ConfigError, match="multiple of 64"):
        DualChunk(chunk, local)


def test_a_setting_by_the_training_length():
    assert DualChunk.trained_to(8192) == DualChunk(6144, 1024)
    assert DualChunk.trained_to(32768, sharpen=True) == DualChunk(24576, 4096, 32768)
    for tokens in range(512, 9000, 100):
        made = DualChunk.trained_to(tokens)
        assert made.stride % 128 == 0
        assert made.chunk <= tokens
    assert len({DualChunk.trained_to(n, sharpen=s).fingerprint for n in (4096, 8192) for s in (True, False)}) == 4
