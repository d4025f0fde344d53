"""How far the compiled kernel is from float64: every instruction set that runs here, every kind of call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
from attention_cells import Cells, Found

from ragctx.attention import BlockIndex, Extent
from ragctx.attention.kernels import cpu
from ragctx.attention.kernels.cpu import libraries
from ragctx.attention.kernels.held import Pages, Rows
from ragctx.attention.reference import attend as exactly

DTYPES = {"float32": "max_error_f32", "bfloat16": "max_error_bf16"}


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the kernel on numbers of the normal distribution.

    Attributes:
        extents: (queries, keys) of its requests. heads, kv, width: of the attention.
        density: how likely a tile is chosen; 1 is dense.
        rising: how many times greater the last keys are than the first, which moves the peak along the sequence.
    """

    extents: tuple[tuple[int, int], ...]
    heads: int = 14
    kv: int = 2
    width: int = 64
    density: float = 1.0
    rising: float = 1.0


CALLS: Mapping[str, Call] = {
    "prompt": Call(((1000, 1000),)),
    "prompt, sparse": Call(((1500, 1500),), density=0.3),
    "wide heads": Call(((700, 700),), 12, 2, 128),
    "wide heads, sparse": Call(((700, 700),), 12, 2, 128, 0.3),
    "one head a KV head": Call(((300, 300),), 9, 9),
    "long, the peak moves": Call(((64, 8192),), 7, 1, rising=4.0),
    "mixed batch": Call(((1, 900), (77, 333), (1, 1), (130, 130)), density=0.5),
    "decoding": Call(((1, 4097),), density=0.4),
}
QUICK = {name: call for name, call in CALLS.items() if name != "long, the peak moves"}
TOY = {"mixed batch": Call(((1, 90), (33, 133)), 4, 2, 32, 0.5)}


def measure(cells: Cells, chosen: Mapping[str, Call], seed: int) -> Found:
    """The greatest absolute error of outputs by dtype, and every row."""
    names = [
        (dtype, instructions, name)
        for dtype in DTYPES
        for instructions in libraries.running()
        if not (dtype == "float32" and instructions == libraries.ROUNDS)
        for name in chosen
    ]
    rows = []
    for dtype, instructions, name in names:
        settings = asdict(chosen[name]) | {"dtype": dtype, "instructions": instructions, "seed": seed}
        label = f"{dtype}-{instructions}-{name.replace(' ', '-').replace(',', '')}"
        rows.append(cells.cell("errors", label, settings, partial(of, name, chosen[name], dtype, instructions, seed)))
    worst = {figure: max(row["output"] for row in rows if row["dtype"] == name) for name, figure in DTYPES.items()}
    return worst | {"max_error_lse": max(row["lse"] for row in rows), "error_rows": rows}


def of(name: str, call: Call, dtype: str, instructions: str, seed: int) -> Found:
    """The errors of one call, over rows and over pages, whichever is greater."""
    import torch

    query, keys, values, index = made(call, dtype, seed)
    exact = exactly(query, keys, values, index)
    held = (Rows(keys, values), Pages.holding(keys, values))
    found = [cpu.attend(query, each, index, instructions=instructions) for each in held]
    assert all(torch.isfinite(each.output.float()).all() for each in found), "the kernel gave what is no number"
    output, lse = (max(far(getattr(each, part), getattr(exact, part)) for each in found) for part in ("output", "lse"))
    return {"call": name, "dtype": dtype, "instructions": instructions, "output": output, "lse": lse}


def made(call: Call, dtype: str, seed: int) -> tuple[object, Sequence[object], Sequence[object], BlockIndex]:
    """Queries, keys, values and an index, all drawn."""
    import torch

    draw = torch.Generator().manual_seed(seed)
    extents = [Extent(*pair) for pair in call.extents]
    kind = getattr(torch, dtype)
    query = torch.randn(sum(e.queries for e in extents), call.heads, call.width, generator=draw).to(kind)
    keys, values = ([torch.randn(e.keys, call.kv, call.width, generator=draw) for e in extents] for _ in range(2))
    keys = [(key * torch.linspace(1, call.rising, len(key))[:, None, None]).to(kind) for key in keys]
    chance = np.random.default_rng(seed)
    masks = [chance.random((call.kv, e.tiles, e.base + e.tiles)) < call.density for e in extents]
    return query, keys, [value.to(kind) for value in values], BlockIndex.masked(extents, call.kv, masks)


def far(one: object, other: object) -> float:
    """The greatest absolute difference."""
    return float((one.double() - other).abs().max())  # type: ignore[attr-defined, operator]
