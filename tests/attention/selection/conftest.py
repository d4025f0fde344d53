"""What rules are shown in tests, how they are set, and what the best and the worst of their kind would choose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from ragctx.attention import BlockIndex, Extent
from ragctx.attention.kernels.held import Pages

torch = pytest.importorskip("torch", reason="needs the extra local")


@dataclass(frozen=True)
class Row:
    """One rule in the suite.

    Attributes:
        name: of the rule. small: settings that leave much out. full: settings that leave nothing out.
        finds: of how many tokens a needle must be to be found: 0 where a rule goes by positions alone.
    """

    name: str
    small: dict
    full: dict
    finds: int = 4


EVERYTHING = 1 << 20
ROWS = (
    Row("streaming", {"sinks": 64, "local": 192}, {"local": EVERYTHING}, finds=0),
    Row("pooled", {"budget": 256}, {"budget": EVERYTHING}),
    Row("antidiagonal", {"budget": 256, "coverage": 0.5}, {"coverage": 1.0}),
    Row("top-p", {"budget": 256, "gamma": 0.5}, {"gamma": 1.0}, finds=1),
    Row("vertical-slash", {"budget": 256, "coverage": 0.5}, {"coverage": 1.0}, finds=1),
    Row("hierarchical", {"budget": 256}, {"budget": EVERYTHING}, finds=0),
    Row("quest", {"budget": 256}, {"budget": EVERYTHING}, finds=1),
    Row("vote", {"budget": 256}, {"budget": EVERYTHING}, finds=1),
    Row("lazy-layers", {"layers": (0, 2), "sinks": 64, "local": 192}, {}, finds=0),
    Row("head-table", {"table": (((64, 0.1),),) * 3, "sinks": 64}, {}, finds=0),
    Row("centroids", {"part": 640, "threshold": 2.0}, {"threshold": 0.0}, finds=31),
)


def pytest_generate_tests(metafunc):
    for name, wanted in {"row": ROWS, "finder": [row for row in ROWS if row.finds]}.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, wanted, ids=[row.name for row in wanted])


@pytest.fixture
def rows():
    return ROWS


@pytest.fixture
def made():
    """The rule of a row, with its small settings, those of another name, or some of one's own."""
    from ragctx.attention.selection import RULES

    def rule(row, kind="small", **settings):
        return RULES[row.name](**(getattr(row, kind) | settings))

    return rule


@pytest.fixture
def shown():
    """Evidence of a text with a beginning that all look at and topics that tiles have and look for, [begin, tokens)."""
    from ragctx.attention.selection.evidence import Evidence, TensorKeys

    def evidence(tokens, begin=0, group=2, kv_heads=2, width=32, seed=0):
        draw = torch.Generator().manual_seed(seed)
        topics = torch.nn.functional.normalize(torch.randn(8, width, generator=draw), dim=1)
        tiles = -(-tokens // 64)
        has, seeks = (torch.randint(0, 8, (tiles,), generator=draw).repeat_interleave(64)[:tokens] for _ in range(2))
        query = torch.randn(tokens, kv_heads * group, width, generator=draw) + 5 * topics[seeks][:, None]
        keys = torch.randn(tokens, kv_heads, width, generator=draw) * 0.5 + 4 * topics[has][:, None]
        query[..., 0] += 4
        keys[:4, :, 0] += 4
        return Evidence(Extent(tokens - begin, tokens), query[begin:], TensorKeys(keys))

    return evidence


@pytest.fixture
def paged():
    """The same evidence with its keys in pages."""
    from dataclasses import replace

    from ragctx.attention.selection.evidence import PagedKeys

    def held(seen, page=128):
        keys = seen.keys.rows(0, seen.extent.keys)
        pages = Pages.holding([torch.zeros(70, *keys.shape[1:]), keys], [torch.zeros(70, *keys.shape[1:]), keys], page)
        return replace(seen, keys=PagedKeys(pages, 1, seen.extent.keys))

    return held


@pytest.fixture
def past():
    """What a mask chooses of the tiles before each row's own, [KV heads, query tiles, key tiles]."""

    def chosen(extent, mask):
        own = extent.base + np.arange(extent.tiles)[:, None]
        return mask & (np.arange(mask.shape[-1]) < own)

    return chosen


@pytest.fixture
def mass():
    """The share of attention that falls into each tile, mean over a row's queries and heads."""

    def share(seen):
        extent, keys = seen.extent, seen.keys.rows(0, seen.extent.keys)
        scores = torch.einsum("qhd,khd->hqk", seen.query, keys.repeat_interleave(seen.group, 1)).double() * seen.factor
        places = torch.arange(extent.first, extent.keys)
        chances = scores.masked_fill(torch.arange(extent.keys) > places[:, None], -torch.inf).softmax(-1)
        chances = torch.nn.functional.pad(chances, (0, -extent.keys % 64)).unflatten(-1, (-1, 64)).sum(-1)
        chances = chances.unflatten(0, (-1, seen.group)).mean(1)
        rows = places // 64 - extent.base
        return torch.stack([chances[:, rows == row].mean(1) for row in range(extent.tiles)], 1).numpy()

    return share


@pytest.fixture
def recall(mass):
    """The share of attention that a mask keeps, mean over all rows, by the kernel's contract."""
    from ragctx.attention.merge import kept
    from ragctx.attention.reference import attend

    def of(seen, mask):
        keys = [seen.keys.rows(0, seen.extent.keys)]
        heads = seen.kv_heads
        dense = attend(seen.query, keys, keys, BlockIndex.dense([seen.extent], heads)).lse
        sparse = attend(seen.query, keys, keys, BlockIndex.masked([seen.extent], heads, [mask])).lse
        return float(kept(sparse, dense).mean())

    return of


@pytest.fixture
def bracket(past, mass, recall):
    """The share of attention kept by as many tiles of each row drawn by chance, by a mask's, and by the best ones."""

    def between(seen, mask):
        mask = past(seen.extent, mask)
        counts, chance, worth = mask.sum(-1), np.random.default_rng(0), mass(seen)
        best, luck = np.zeros_like(mask), np.zeros_like(mask)
        for head, row in np.ndindex(counts.shape):
            tile, count = seen.extent.base + row, counts[head, row]
            best[head, row, np.argsort(-worth[head, row, :tile])[:count]] = True
            luck[head, row, chance.permutation(tile)[:count]] = True
        return recall(seen, luck), recall(seen, mask), recall(seen, best)

    return between


@pytest.fixture
def patterned():
    """Evidence of the last 256 queries of a text whose heads look at some keys, at some distances, and all around."""
    from ragctx.attention.selection.evidence import Evidence, TensorKeys

    def evidence(tokens=2560, group=3, width=64, seed=0):
        draw = torch.Generator().manual_seed(seed)
        pace, phase = torch.rand(2, width // 2, generator=draw)
        code = torch.cat(
            [part(torch.arange(-tokens, tokens)[:, None] * pace + 7 * phase) for part in (torch.cos, torch.sin)], 1
        )
        keys, query = 0.3 * torch.randn(tokens, 1, width + 4, generator=draw), torch.zeros(256, group, width + 4)
        keys[:, 0, :width] += code[tokens:]
        keys[torch.randint(0, tokens, (12,), generator=draw), 0, width] += 6
        for head in range(group):
            for distance in torch.randint(300, tokens - 300, (2,), generator=draw).tolist():
                query[:, head, :width] += (head % 3) * code[2 * tokens - 256 - distance : 2 * tokens - distance]
            query[:, head, width] = 10.0 * (head % 2)
        query += torch.randn(query.shape, generator=draw)
        return Evidence(Extent(256, tokens), query, TensorKeys(keys))

    return evidence


@pytest.fixture
def needle():
    """Evidence whose last tile looks for some keys from a place on and for nothing else."""
    from ragctx.attention.selection.evidence import Evidence, TensorKeys

    def planted(tokens, place, length, group=2, width=32, seed=0):
        draw = torch.Generator().manual_seed(seed)
        query, keys = torch.randn(tokens, group, width, generator=draw), torch.randn(tokens, 1, width, generator=draw)
        sought = torch.nn.functional.normalize(torch.randn(width, generator=draw), dim=0)
        keys[place : place + length] = 12 * sought
        query[tokens - 64 :] += 12 * sought
        return Evidence(Extent(tokens, tokens), query, TensorKeys(keys))

    return planted
