"""The attention kernel by itself: dense against vLLM's and torch's, and sparse against dense, on the same pages.

A prompt is read in chunks, as vLLM does it; of a long one, chunks taken evenly over the whole stand for all. Seconds
are one thread's process time, the best of several rounds in which everything is measured once. Selection is not
included: tiles are sinks, neighbours and random ones, the same number in every row that has so many.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from ragctx.attention import BlockIndex, Extent
from ragctx.attention.extents import BLOCK
from ragctx.attention.kernels import cpu
from ragctx.attention.kernels.held import Pages

if TYPE_CHECKING:
    import torch

PAGE, SINKS, NEAR = 128, 2, 8  # tokens; tiles
Run = Callable[[], object]


@dataclass(frozen=True)
class Shape:
    """Of the attention that is measured."""

    heads: int
    kv: int
    width: int
    dtype: str = "bfloat16"

    def flops(self, chunks: list[Extent]) -> float:
        """Of dense causal attention."""
        return sum(4 * self.heads * self.width * e.queries * (e.first + (e.queries + 1) / 2) for e in chunks)


def chunks(length: int, chunk: int, most: int) -> tuple[list[Extent], float]:
    """Chunks of a prompt, at most so many and evenly taken, and how many of the prompt's each stands for."""
    ends = [min(end, length) for end in range(chunk, length + chunk, chunk)]
    count = min(most, len(ends))
    taken = [ends[int((n + 0.5) * len(ends) / count)] for n in range(count)]
    return [Extent(end - (end - 1) // chunk * chunk, end) for end in taken], len(ends) / count


def budget(length: int, density: float) -> int:
    """Tiles of a row for a mean density over the whole prompt, where shorter rows are dense."""
    return max(1, round(-(-length // BLOCK) * (1 - math.sqrt(1 - density))))


def index(extent: Extent, kv: int, tiles: int, seed: int) -> BlockIndex:
    """Sinks, neighbours and random tiles."""
    chance = random.Random(seed)

    def row(request: int, head: int, tile: int) -> list[int]:
        if tile < tiles:
            return list(range(tile + 1))
        fixed = {tile, *range(min(SINKS, tiles - 1)), *range(max(0, tile + 1 - min(NEAR, tiles // 2)), tile)}
        rest = [n for n in chance.sample(range(tile), min(tile, 2 * tiles)) if n not in fixed]
        return sorted({*fixed, *rest[: max(0, tiles - len(fixed))]})

    return BlockIndex.chosen([extent], kv, row)


def tensors(length: int, shape: Shape, seed: int = 0) -> tuple[torch.Tensor, Pages]:
    """Queries of a prompt, and pages with its keys and values."""
    import torch

    chance = torch.Generator().manual_seed(length + seed)
    dtype = getattr(torch, shape.dtype)
    query, key, value = (
        torch.randn(length, heads, shape.width, generator=chance).to(dtype)
        for heads in (shape.heads, shape.kv, shape.kv)
    )
    return query, Pages.holding([key], [value], PAGE)


def ours(query: torch.Tensor, pages: Pages, work: list[tuple[Extent, BlockIndex]]) -> None:
    """All chunks through our kernel."""
    for extent, chosen in work:
        cpu.attend(query[extent.first : extent.keys], pages, chosen)


def theirs(query: torch.Tensor, pages: Pages, extents: list[Extent]) -> Run | None:
    """All chunks through vLLM's dense kernel, its schedule made beforehand; None where vLLM is not installed."""
    import torch

    try:
        from vllm import _custom_ops as ops
        from vllm.v1.attention.backends.cpu_attn import _get_attn_isa as isa_of
    except ImportError:
        return None
    (count, heads, page, twice), width = pages.cache.shape, query.shape[2]
    isa = isa_of(query.dtype, page, width)
    cache = torch.zeros_like(pages.cache)
    keys, values = cache.view(count, heads, 2 * page, twice // 2).chunk(2, dim=2)
    held = [torch.stack(part, 1) for part in zip(*(pages.of(0, h, len(query)) for h in range(heads)), strict=True)]
    slots = page + torch.arange(len(query))  # from page 1 on, as the table says
    ops.cpu_attn_reshape_and_cache(held[0], held[1], keys, values, slots, isa)
    steps = []
    for extent in extents:
        starts, lengths = (torch.tensor(each, dtype=torch.int32) for each in ([0, extent.queries], [extent.keys]))
        plan = ops.cpu_attn_get_scheduler_metadata(
            1, query.shape[1], heads, width, lengths, query.dtype, starts, True, -1, isa, True
        )
        rows = query[extent.first : extent.keys]
        steps.append((rows, torch.empty_like(rows), starts, lengths, plan))

    def run() -> list[torch.Tensor]:
        for rows, into, starts, lengths, plan in steps:
            ops.cpu_attention_with_kv_cache(
                rows, keys, values, into, starts, lengths, width**-0.5, True, None, -1, pages.table, 0.0, plan, None
            )
        return [into for _, into, *_ in steps]

    return run


def sdpa(query: torch.Tensor, pages: Pages) -> Run:
    """The whole prompt at once through torch."""
    import torch

    heads = pages.cache.shape[1]
    held = zip(*(pages.of(0, head, len(query)) for head in range(heads)), strict=True)
    keys, values = (torch.stack(part)[None].contiguous() for part in held)
    rows = query.transpose(0, 1)[None].contiguous()
    return partial(
        torch.nn.functional.scaled_dot_product_attention, rows, keys, values, is_causal=True, enable_gqa=True
    )


def best(runs: dict[str, Run], rounds: int) -> dict[str, float]:
    """Process seconds of each, measured in turn."""
    found = dict.fromkeys(runs, math.inf)
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.process_time()
            run()
            found[name] = min(found[name], time.process_time() - start)
    return found


def measure(length: int, shape: Shape, wanted: argparse.Namespace) -> dict[str, Any]:
    """Figures of one length."""
    query, pages = tensors(length, shape)
    extents, stands = chunks(length, wanted.chunk, wanted.sampled)
    dense = [(extent, BlockIndex.dense([extent], shape.kv)) for extent in extents]
    runs: dict[str, Run] = {"dense": partial(ours, query, pages, dense)}
    sparse = {f"sparse_{density}": density for density in wanted.density}
    for name, density in sparse.items():
        tiles = budget(length, density)
        runs[name] = partial(
            ours, query, pages, [(e, index(e, shape.kv, tiles, number)) for number, e in enumerate(extents)]
        )
    if (run := theirs(query, pages, extents)) is not None:
        runs["vllm"] = run
        alike(query, pages, dense[0], run)
    if length <= wanted.sdpa:
        runs["sdpa"] = sdpa(query, pages)
    seconds = best(runs, wanted.rounds)
    flops = shape.flops(extents)
    own = {name: flops for name in runs if name != "sdpa"} | {"sdpa": shape.flops([Extent(length, length)])}
    rates = {name: own[name] / each for name, each in seconds.items()}  # of dense work, whoever left some of it out
    return {
        "length": length,
        "chunks": f"{len(extents)}, each for {stands:g}",
        "seconds": {name: round(each, 4) for name, each in seconds.items()},
        "dense_gflops": {name: round(rates[name] / 1e9, 1) for name in rates if name not in sparse},
        "dense_times": {f"vs_{name}": round(rates["dense"] / rates[name], 2) for name in beside(rates)},
        "sparse_times": {
            name: {f"vs_{other}": round(rates[name] / rates[other], 2) for other in ("dense", *beside(rates))}
            for name in sparse
        },
    }


def alike(query: torch.Tensor, pages: Pages, work: tuple[Extent, BlockIndex], run: Any) -> float:
    """What is compared computes the same; by how much it differs at most."""
    extent, dense = work
    found = cpu.attend(query[extent.first : extent.keys], pages, dense).output
    apart = float((found.float() - run()[0].float()).abs().max())
    assert apart < 0.05, f"our output and vLLM's are {apart} apart"
    return apart


def beside(rates: dict[str, float]) -> Iterator[str]:
    return (name for name in ("vllm", "sdpa") if name in rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=[4096, 8192, 32768, 131072])
    parser.add_argument("--density", type=float, nargs="*", default=[0.25, 0.12, 0.03])
    parser.add_argument("--heads", type=int, nargs=3, default=[14, 2, 64], metavar=("HEADS", "KV_HEADS", "WIDTH"))
    parser.add_argument("--chunk", type=int, default=2048)
    parser.add_argument("--sampled", type=int, default=8, help="chunks of a prompt that are measured")
    parser.add_argument("--sdpa", type=int, default=8192, help="longest prompt that torch reads too")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], default="bfloat16")
    parser.add_argument("--quick", action="store_true", help="4K alone, two chunks, two rounds")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    if wanted.quick:
        wanted.lengths, wanted.sampled, wanted.rounds = [4096], 2, 2
    import torch

    torch.set_num_threads(1)
    shape = Shape(*wanted.heads, wanted.dtype)
    result: dict[str, Any] = {
        "date": str(date.today()),
        "instructions": cpu.compiled(getattr(torch, wanted.dtype)),
        "load_at_start": round(os.getloadavg()[0], 1),
        "heads_kv_width": wanted.heads,
        "dtype": wanted.dtype,
        "chunk": wanted.chunk,
        "lengths": [],
    }
    for length in wanted.lengths:
        result["lengths"].append(measure(length, shape, wanted))
        if not wanted.json:
            print(json.dumps(result["lengths"][-1]))
    if wanted.json:
        print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
