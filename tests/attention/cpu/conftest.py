"""Calls of every kind that a kernel must take, and the comparison of what came of them with the oracle."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from ragctx.attention import BlockIndex, Extent
from ragctx.attention.kernels.held import Pages, Rows

torch = pytest.importorskip("torch", reason="needs the extra local")

Attend = Callable[..., Any]
ONE, CHUNK, MIXED = (
    [Extent(130, 130)],
    [Extent(70, 200)],
    [Extent(1, 77), Extent(70, 200), Extent(1, 1), Extent(64, 64)],
)
LONG = [Extent(65, 1190)]  # more tiles than the heads of a group share at a time
WIDE = [Extent(100, 100)]
SHAPES = {  # extents, heads, KV heads, width
    "one": (ONE, 2, 2, 64),
    "pairs": (CHUNK, 4, 2, 64),
    "seven": (MIXED, 14, 2, 64),
    "eight": (CHUNK, 8, 1, 128),
    "many for one": (WIDE, 20, 1, 64),  # more lanes than are gathered in one turn
    "step": ([Extent(1, 513), Extent(1, 64)], 14, 2, 64),
    "steps": ([Extent(3, 131)], 6, 2, 128),
    "long": (LONG, 3, 1, 64),
    "narrow": (MIXED, 4, 2, 16),
    "odd width": (CHUNK, 3, 1, 80),
    "widest": (CHUNK, 2, 1, 256),
}


@dataclass(frozen=True, eq=False)
class Call:
    query: Any
    rows: Rows
    pages: Pages
    index: BlockIndex
    scale: float = 0.0


def index_of(extents: list[Extent], heads: int, density: float) -> BlockIndex:
    """Tiles by chance, of each row others."""
    if density == 1.0:
        return BlockIndex.dense(extents, heads)
    chance = random.Random(3)
    return BlockIndex.chosen(
        extents, heads, lambda request, head, tile: [*(n for n in range(tile) if chance.random() < density), tile]
    )


@cache
def made(
    shape: str, dtype: Any, density: float = 1.0, page: int = 128, spread: float = 1.0, scale: float = 0.0
) -> Call:
    """A call whose pages hold NaN where nothing was written: what a kernel may not read shows."""
    extents, heads, kv, width = SHAPES[shape]
    chance = torch.Generator().manual_seed(5)

    def normal(count: int, heads: int) -> Any:
        return (torch.randn(count, heads, width, generator=chance) * spread).to(dtype)

    query = normal(sum(extent.queries for extent in extents), heads)
    keys, values = ([normal(extent.keys, kv) for extent in extents] for _ in range(2))
    pages = Pages.holding(keys, values, page)
    pages.cache[0] = torch.nan
    for extent, table in zip(extents, pages.table, strict=True):
        over = extent.keys % page
        if over:
            last = pages.cache[table[-(-extent.keys // page) - 1]].view(kv, 2, -1)
            last[:, 0].view(kv, width, page)[:, :, over:] = torch.nan
            last[:, 1].view(kv, page, width)[:, over:] = torch.nan
    return Call(query, Rows(keys, values), pages, index_of(extents, kv, density), scale)


@cache  # one answer for all instruction sets
def exact(call: Call) -> Any:
    from ragctx.attention.reference import attend as oracle

    return oracle(call.query, call.rows.keys, call.rows.values, call.index, scale=call.scale)


def errors(call: Call, attend: Attend, pages: bool) -> tuple[float, float]:
    """The largest error of the output, and of the log-sum-exp; infinite where a result is no number."""
    output = torch.full_like(call.query, torch.nan)
    ours = attend(call.query, call.pages if pages else call.rows, call.index, scale=call.scale, output=output)
    assert ours.output is output
    apart = [(got.double() - wanted).abs().max() for got, wanted in zip(ours, exact(call), strict=True)]
    return tuple(float(torch.nan_to_num(each, nan=torch.inf)) for each in apart)  # type: ignore[return-value]


@pytest.fixture
def calls() -> Callable[..., Call]:
    return made


@pytest.fixture
def apart() -> Callable[..., tuple[float, float]]:
    return errors


@pytest.fixture
def shapes() -> list[str]:
    return list(SHAPES)
