"""What rules are shown under dual chunk positions."""

from __future__ import annotations

import numpy as np
import pytest

from ragctx.attention import Extent
from ragctx.attention.positions import DualChunk, Rotation
from ragctx.attention.positions.frequencies import plain

torch = pytest.importorskip("torch", reason="needs the extra local")

ROTATION = Rotation(tuple(plain(16, 100.0).tolist()))
DUAL = DualChunk(chunk=192, local=64)


def evidence(begin, tokens, seed=0):
    from ragctx.attention.selection.evidence import Evidence, TensorKeys

    made = torch.Generator().manual_seed(seed)
    query, key = (torch.randn(tokens, heads, 16, generator=made, dtype=torch.float64) for heads in (4, 2))
    places = np.arange(tokens)
    query, key = ROTATION.turned(query, places), ROTATION.turned(key, places)
    return Evidence(Extent(tokens - begin, tokens), query[begin:], TensorKeys(key))


def scores(seen, tokens):
    return torch.einsum("qhd,khd->hqk", seen.query, seen.keys.rows(0, tokens).repeat_interleave(2, 1))


def test_scores_are_those_of_dual_chunk_attention_for_all_that_is_far():
    from ragctx.attention.positions.evidence import shown

    begin, tokens = 100, 600
    plainly = evidence(begin, tokens)
    found = scores(shown(plainly, DUAL, ROTATION), tokens)
    for query in range(begin, tokens, 37):
        own = query // DUAL.stride
        firsts = np.arange(own + 1) * DUAL.stride
        stands = DUAL.distances(np.full(own + 1, query), firsts)
        assert (stands[: max(own - 1, 0)] == stands[0]).all()  # all but the own piece and the one before
        for piece in range(own + 1):
            turn = DUAL.turns(np.array([query]), piece)
            asked = ROTATION.turned(plainly.query[query - begin : query - begin + 1], turn)
            keys = plainly.keys.rows(piece * 128, min(piece * 128 + 128, query + 1)).repeat_interleave(2, 1)
            wanted = torch.einsum("qhd,khd->hqk", asked, keys)[:, 0]
            exact = torch.allclose(found[:, query - begin, piece * 128 : piece * 128 + keys.shape[0]], wanted)
            assert exact == (stands[piece] == stands[0])


def test_tiles_are_summed_up_as_their_keys():
    from ragctx.attention.positions.evidence import shown

    seen = shown(evidence(0, 500), DUAL, ROTATION)
    rows = seen.keys.rows(0, 500).split(64)
    assert torch.allclose(seen.keys.means(), torch.stack([tile.mean(0) for tile in rows]).float(), atol=1e-6)
    least, most = seen.keys.bounds()
    assert torch.equal(least, torch.stack([tile.amin(0) for tile in rows]))
    assert torch.equal(most, torch.stack([tile.amax(0) for tile in rows]))


@pytest.mark.parametrize("tokens", [100, 192, 500])
def test_a_rule_sees_the_same_in_chunks(tokens):
    from ragctx.attention.positions.evidence import shown

    def worth(seen):
        """Of every tile before the last to each query."""
        return torch.einsum("qhd,khd->hqk", seen.query.float(), seen.keys.means()[:-1].repeat_interleave(2, 1))

    plainly = evidence(0, tokens)
    whole = worth(shown(plainly, DUAL, ROTATION))
    for begin in range(0, tokens, 64):
        end = min(begin + 64, tokens)
        keys = type(plainly.keys)(plainly.keys.rows(0, end))
        part = worth(shown(type(plainly)(Extent(end - begin, end), plainly.query[begin:end], keys), DUAL, ROTATION))
        assert torch.allclose(part, whole[:, begin:end, : part.shape[2]], atol=1e-5)
