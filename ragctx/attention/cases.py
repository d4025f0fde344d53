"""Calls that between them reach every branch of a GPU kernel, and how far a kernel may be from the oracle in each.

Run by the tests in Triton's interpreter and by `gpu_check` on a GPU: the same calls, so that what one proves of the
logic is what the other proves of the machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ragctx.attention.extents import Extent
from ragctx.attention.index import BlockIndex
from ragctx.attention.kernels.triton import LAYOUTS, Paged, Rows, attend
from ragctx.attention.merge import Attended
from ragctx.attention.reference import attend as exactly

if TYPE_CHECKING:
    import torch

LIMITS = {"float32": 1e-5, "float16": 2e-3, "bfloat16": 1e-2}
"""How far an output may be from float64, of inputs of the normal distribution, by the dtype of the inputs."""

LSE_LIMIT = 1e-4


@dataclass(frozen=True, slots=True)
class Case:
    """One call.

    Attributes:
        name: what it is there for.
        extents: (queries, keys) of each request.
        heads, kv_heads, width: of the tensors.
        dtype: of the tensors, torch's name.
        layout: "rows", or a layout of pages.
        page: tokens of a page.
        share: how probable a tile is to be chosen.
        rising: how many times greater the last keys are than the first, which moves the peak along the sequence.
        scale: of the scores; the default one where 0.
    """

    name: str
    extents: tuple[tuple[int, int], ...]
    heads: int
    kv_heads: int
    width: int
    dtype: str
    layout: str = "rows"
    page: int = 128
    share: float = 0.5
    rising: float = 1.0
    scale: float = 0.0


CASES = (
    Case("whole prompt", ((130, 130),), 4, 2, 64, "float32", share=1.0),
    Case("one query head a KV head", ((150, 150),), 2, 2, 32, "float16"),
    Case("ragged heads and chunk", ((70, 200),), 14, 2, 64, "bfloat16"),
    Case("mixed batch, rows", ((1, 77), (70, 200), (1, 1), (64, 64)), 6, 2, 64, "bfloat16"),
    Case("mixed batch, small pages", ((1, 77), (70, 150), (3, 131)), 4, 2, 64, "bfloat16", "kv-first", 16),
    Case("mixed batch, half pages", ((33, 97), (1, 66)), 3, 1, 128, "float16", "pages-first", 32),
    Case("chunk over pages", ((65, 330),), 7, 1, 64, "bfloat16", "packed", 128),
    Case("chunk over transposed pages", ((66, 200), (1, 260)), 2, 1, 128, "bfloat16", "transposed", 128),
    Case("long decoding", ((1, 1300),), 14, 2, 64, "float32", share=0.8, rising=2.0),
    Case("long decoding over pages", ((1, 1100), (1, 64), (1, 700)), 4, 1, 128, "bfloat16", "kv-first", 64),
    Case("many splits", ((1, 8500),), 2, 1, 16, "float16", share=1.0, rising=4.0),
    Case("decoding, twenty heads", ((1, 200),), 20, 1, 64, "bfloat16"),
    Case("decoding, more heads than a program", ((1, 130),), 80, 1, 16, "float16"),
    Case("a few queries at once", ((5, 600),), 6, 2, 32, "bfloat16", "packed", 16),
    Case("wide heads", ((66, 66), (1, 90)), 2, 1, 256, "bfloat16"),
    Case("narrow heads", ((80, 80),), 2, 1, 16, "float32", scale=0.6),
    Case("wide single precision", ((70, 134), (1, 64)), 2, 1, 128, "float32", "packed", 64),
)


@dataclass(frozen=True, slots=True)
class Made:
    """The tensors of a case, on the CPU and where the kernel runs."""

    query: torch.Tensor
    output: torch.Tensor | None
    held: Rows | Paged
    index: BlockIndex
    keys: list[torch.Tensor]
    values: list[torch.Tensor]


def made(case: Case, device: str) -> Made:
    """The tensors: the query a view of a fused projection, as models hand it over, the index drawn at random.

    With pages the output is given too, and lies head by head.
    """
    import torch

    draw = torch.Generator().manual_seed(len(case.name))
    extents = [Extent(*pair) for pair in case.extents]
    tokens, dtype = sum(extent.queries for extent in extents), getattr(torch, case.dtype)
    fused = torch.randn(tokens, case.heads + 2, case.width, generator=draw).to(dtype)
    keys, values = ([torch.randn(e.keys, case.kv_heads, case.width, generator=draw) for e in extents] for _ in range(2))
    keys = [(key * torch.linspace(1, case.rising, len(key))[:, None, None]).to(dtype) for key in keys]
    values = [value.to(dtype) for value in values]
    chance = np.random.default_rng(len(case.name))
    masks = [chance.random((case.kv_heads, e.tiles, e.base + e.tiles)) < case.share for e in extents]
    index = BlockIndex.masked(extents, case.kv_heads, masks)
    if case.layout == "rows":
        held: Rows | Paged = Rows([k.to(device) for k in keys], [v.to(device) for v in values])
        output = None
    else:
        held = _paged(case, keys, values, device)
        output = torch.full((case.heads, tokens, case.width), torch.nan, dtype=dtype, device=device).transpose(0, 1)
    return Made(fused.to(device)[:, : case.heads], output, held, index, keys, values)


def _paged(case: Case, keys: list[torch.Tensor], values: list[torch.Tensor], device: str) -> Paged:
    """The rows in pages of random order; whatever is not written is NaN, as it may be in a real cache."""
    import torch

    counts = [-(-len(key) // case.page) for key in keys]
    order = 1 + torch.randperm(sum(counts), generator=torch.Generator().manual_seed(1))
    table = torch.zeros(len(keys), max(counts), dtype=torch.int32)
    heads, page, width, pages = case.kv_heads, case.page, case.width, 1 + sum(counts)
    split = {"kv-first": (2, pages, page, heads, width), "pages-first": (pages, 2, page, heads, width)}
    shape = split.get(case.layout, (pages, heads, page, 2 * width))
    cache = torch.full(shape, torch.nan, dtype=keys[0].dtype)
    seen = LAYOUTS[case.layout][1](cache)
    for request, own in enumerate(order.split(counts)):
        table[request, : len(own)] = own.to(torch.int32)
        places = torch.arange(len(keys[request]))
        for half, rows in zip(seen, (keys[request], values[request]), strict=True):
            half[own[places // page], :, places % page] = rows
    return Paged.of(cache.to(device), table.to(device), case.layout)


@dataclass(frozen=True, slots=True)
class Compared:
    """How far a kernel was from the oracle.

    Attributes:
        case: which call.
        output: greatest absolute difference, infinite where a number is not finite. lse: likewise.
        alike: whether a second run gave the same bits; a race would show there.
    """

    case: Case
    output: float
    lse: float
    alike: bool

    @property
    def right(self) -> bool:
        """Whether all is within the limits."""
        return self.output <= LIMITS[self.case.dtype] and self.lse <= LSE_LIMIT and self.alike


def compared(case: Case, device: str, runs: int = 2) -> Compared:
    """Run a case on a device and compare it with the oracle on the CPU.

    Raises:
        ConfigError: nothing can be launched there.
    """
    import torch

    given = made(case, device)
    results = []
    for _ in range(runs):
        result = attend(given.query, given.held, given.index, scale=case.scale, output=given.output)
        results.append(Attended(*(part.cpu().clone() for part in result)))
    exact = exactly(given.query.cpu(), given.keys, given.values, given.index, scale=case.scale)
    first = results[0]
    alike = all(torch.equal(mine, its) for result in results for mine, its in zip(first, result, strict=True))
    return Compared(case, _apart(first.output, exact.output), _apart(first.lse, exact.lse), alike)


def _apart(one: torch.Tensor, other: torch.Tensor) -> float:
    difference = (one.double() - other).abs()
    return float(difference.nan_to_num(nan=float("inf")).max())
