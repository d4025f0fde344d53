"""The kernel of machines without one, against the oracle."""

from __future__ import annotations

import numpy as np
import pytest

from ragctx.attention import BlockIndex, Extent
from ragctx.errors import ConfigError

torch = pytest.importorskip("torch", reason="needs the extra local")


@pytest.mark.parametrize(("dtype", "most"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize(("heads", "kv"), [(4, 2), (3, 3), (6, 1)])
def test_it_is_the_oracle(dtype, most, heads, kv):
    from ragctx.attention import reference
    from ragctx.attention.fallback import attend
    from ragctx.attention.kernels.cpu.call import Rows

    extents = [Extent(130, 130), Extent(1, 200), Extent(70, 333)]
    made = torch.Generator().manual_seed(0)
    query = torch.randn(201, heads, 16, generator=made).to(dtype)
    keys, values = ([torch.randn(e.keys, kv, 16, generator=made).to(dtype) for e in extents] for _ in range(2))
    chance = np.random.default_rng(0)
    masks = [chance.random((kv, e.tiles, e.base + e.tiles)) < 0.5 for e in extents]
    for index in (BlockIndex.dense(extents, kv), BlockIndex.masked(extents, kv, masks)):
        found = attend(query, Rows(keys, values), index, scale=0.2)
        wanted = reference.attend(query, keys, values, index, scale=0.2)
        assert found.output.dtype == dtype
        assert float((found.output - wanted.output).abs().max()) < most
        assert float((found.lse - wanted.lse).abs().max()) < max(most, 1e-4) / 10


def test_what_does_not_fit_is_refused():
    from ragctx.attention.fallback import attend
    from ragctx.attention.kernels.cpu.call import Pages, Rows

    index = BlockIndex.dense([Extent(9, 9)], 2)
    query, key = torch.zeros(9, 4, 8), torch.zeros(8, 2, 8)
    with pytest.raises(ConfigError, match="the index is of"):
        attend(query, Rows([key], [key]), index)
    with pytest.raises(ConfigError, match="compiled kernel"):
        attend(query, Pages(torch.zeros(2, 2, 64, 16), torch.zeros(1, 1, dtype=torch.int32)), index)
