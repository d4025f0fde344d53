"""The oracle against torch's own attention, and the merging of parts."""

from __future__ import annotations

import numpy as np
import pytest

from ragctx.attention import BlockIndex, Extent
from ragctx.errors import ConfigError

torch = pytest.importorskip("torch", reason="needs the extra local")


def tensors(extents, heads=4, kv=2, width=16, seed=0):
    made = torch.Generator().manual_seed(seed)
    query = torch.randn(sum(e.queries for e in extents), heads, width, generator=made, dtype=torch.float64)
    keys, values = (
        [torch.randn(e.keys, kv, width, generator=made, dtype=torch.float64) for e in extents] for _ in range(2)
    )
    return query, keys, values


def test_everything_is_what_torch_calls_causal_attention():
    from ragctx.attention.reference import attend

    extents = [Extent(70, 70), Extent(1, 200), Extent(100, 164)]
    query, keys, values = tensors(extents)
    ours = attend(query, keys, values, BlockIndex.dense(extents, 2))
    at = 0
    for extent, key, value in zip(extents, keys, values, strict=True):
        rows = query[at : at + extent.queries].transpose(0, 1)
        seen = torch.ones(extent.queries, extent.keys, dtype=torch.bool).tril(extent.first)
        wanted = torch.nn.functional.scaled_dot_product_attention(
            rows, key.transpose(0, 1), value.transpose(0, 1), attn_mask=seen, enable_gqa=True
        )
        assert torch.allclose(ours.output[at : at + extent.queries], wanted.transpose(0, 1))
        at += extent.queries


def test_a_prompt_in_chunks_is_the_prompt():
    from ragctx.attention.reference import attend

    whole = Extent(300, 300)
    query, [key], [value] = tensors([whole])

    def rule(request, head, tile):
        return sorted({0, max(0, tile - 1 - head), tile})

    at_once = attend(query, [key], [value], BlockIndex.chosen([whole], 2, rule))
    for begin, end in ((0, 100), (100, 130), (130, 299), (299, 300)):
        extent = Extent(end - begin, end)
        part = attend(query[begin:end], [key[:end]], [value[:end]], BlockIndex.chosen([extent], 2, rule))
        assert torch.allclose(part.output, at_once.output[begin:end])
        assert torch.allclose(part.lse, at_once.lse[begin:end])


def test_parts_merge_to_the_whole_and_tell_the_share_kept():
    from ragctx.attention.merge import kept, merged
    from ragctx.attention.reference import plain

    query, [key], [value] = tensors([Extent(40, 40)])
    whole = plain(query, key, value)
    parts = [plain(query, key[a:b], value[a:b]) for a, b in ((0, 7), (7, 8), (8, 40))]
    joint = merged(parts)
    assert torch.allclose(joint.output, whole.output)
    assert torch.allclose(joint.lse, whole.lse)
    assert torch.allclose(sum(kept(part.lse, whole.lse) for part in parts), torch.ones_like(whole.lse))


def test_a_part_that_saw_nothing_counts_nothing():
    from ragctx.attention.merge import merged
    from ragctx.attention.reference import plain

    query, [key], [value] = tensors([Extent(5, 5)])
    nothing = plain(query, key, value, torch.zeros(1, 5, 5, dtype=torch.bool))
    assert (nothing.output == 0).all()
    assert (nothing.lse == -np.inf).all()
    something = plain(query, key, value)
    for joint in (merged([nothing, something]), merged([something, nothing])):
        assert torch.equal(joint.output, something.output)
    assert torch.equal(merged([nothing, nothing]).output, nothing.output)


def test_tensors_of_another_shape_are_refused():
    from ragctx.attention.reference import attend

    query, keys, values = tensors([Extent(9, 9)])
    for index in (BlockIndex.dense([Extent(8, 9)], 2), BlockIndex.dense([Extent(9, 10)], 2)):
        with pytest.raises(ConfigError, match="the index is of"):
            attend(query, keys, values, index)
    with pytest.raises(ConfigError, match="the index is of"):
        attend(query, keys, values, BlockIndex.dense([Extent(9, 9)], 3))
