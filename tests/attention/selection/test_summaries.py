"""Bounds that are kept: equal to fresh ones at every step, whatever is written, and computed once."""

from __future__ import annotations

import pytest

from ragctx.attention import Extent
from ragctx.attention.kernels.held import Pages

torch = pytest.importorskip("torch", reason="needs the extra local")


@pytest.fixture
def read(monkeypatch):
    """How many tiles were read for each call of `bounds`."""
    from ragctx.attention.selection import summaries

    counts, tiles = [], summaries._tiles

    def counted(pages, places):
        counts.append(len(places))
        return tiles(pages, places)

    monkeypatch.setattr(summaries, "_tiles", counted)
    return counts


def put(pages, request, place, key):
    """Write one key as vLLM does; its slot."""
    size, width = pages.cache.shape[2], key.shape[1]
    page = int(pages.table[request, place // size])
    turned = pages.cache[page].flatten(1)[:, : size * width].view(-1, width, size)
    turned[:, :, place % size] = key
    return torch.tensor([page * size + place % size])


@pytest.mark.parametrize("page", [64, 128])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_kept_bounds_are_fresh_ones_at_every_step(page, dtype, read):
    from ragctx.attention.selection.evidence import Evidence, PagedKeys
    from ragctx.attention.selection.quest import Quest
    from ragctx.attention.selection.summaries import Summaries

    draw = torch.Generator().manual_seed(0)
    keys = [torch.randn(tokens, 2, 16, generator=draw).to(dtype) for tokens in (300, 900)]
    pages, kept, rule = Pages.holding(keys, keys, page), Summaries(), Quest(budget=128)
    for count in range(700, 900, 3):
        for place in range(count - 3, count):
            kept.written(put(pages, 1, place, torch.randn(2, 16, generator=draw).to(dtype)))
        query = torch.randn(1, 4, 16, generator=draw)
        each = [Evidence(Extent(1, count), query, PagedKeys(pages, 1, count, held)) for held in (kept, None)]
        for one, other in zip(*(seen.keys.bounds() for seen in each), strict=True):
            assert torch.equal(one, other)
        assert (rule.mask(each[0]) == rule.mask(each[1])).all()
    assert read[0] == 10  # all finished ones, once
    assert max(read[1:]) == 1  # then what was finished, and the tail


def test_requests_are_told_apart_and_pages_may_change_hands(read):
    from ragctx.attention.selection.evidence import PagedKeys
    from ragctx.attention.selection.summaries import Summaries

    keys = [torch.randn(tokens, 2, 16) for tokens in (256, 300)]
    pages, kept = Pages.holding(keys, keys, 128), Summaries()
    for _ in range(2):
        for request, own in enumerate(keys):
            found = PagedKeys(pages, request, len(own), kept).bounds()
            for one, other in zip(found, PagedKeys(pages, request, len(own)).bounds(), strict=True):
                assert torch.equal(one, other)
        slots = torch.cat([put(pages, 0, place, torch.randn(2, 16)) for place in range(70, 200)])
        kept.written(torch.cat([slots, torch.tensor([-1])]))  # another text in the pages, and padding
    assert sum(read) == (4 + 4 + 1) + (3 + 1)  # all and a tail; then what was written to, and the tail
