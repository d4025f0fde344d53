"""Whole prompts through vLLM: dense, at a fixed density, and by the policy `auto`, one after the other in one process.

Speed-ups are of CPU seconds until the first token. What a fixed density could give at most is told by stock
attention's share of the time and by the kernel's own speed-up with selection, both taken in the same process, the
latter on random tensors of the same shape; what it gives is told as a share of that.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from attention_cells import Cells, Found
from attention_clock import rounded, taken
from attention_fixed import fixed
from attention_kernel import Shape, chunks, tensors, theirs
from attention_kernels import Cell, ways
from attention_needles import haystack

from ragctx.attention.selection.policy import Sparsity

if TYPE_CHECKING:
    from attention_engine import Rig

    from ragctx.attention.vllm.counts import Counts

ROUNDS: Mapping[int, int] = {4096: 3, 8192: 3, 16384: 2, 32768: 1}
TOY: Mapping[int, int] = {512: 1}
DENSITY, CHUNK, LAST = 0.12, 2048, 64
SPARE = 64  # tokens of the window that a prompt leaves free


def measure(cells: Cells, wanted: argparse.Namespace) -> Found:
    """All lengths; the engine is loaded only if a cell is left to be measured."""
    plan = TOY if wanted.toy else ROUNDS
    lengths = [length for length in plan if not wanted.lengths or length in wanted.lengths]
    chunk = 128 if wanted.toy else CHUNK
    policy = Sparsity.of({"gate": 0, "budget": 128, "dense_layers": 0} if wanted.toy else "auto")
    with_settings = {"seed": wanted.seed, "chunk": chunk, "density": DENSITY, "auto": policy.fingerprint}
    shelf = _Shelf(wanted.model, max(lengths), chunk)
    rows: dict[str, list[Found]] = {}
    for length in lengths:
        for number in range(plan[length]):
            settings = with_settings | {"length": length, "round": number, "model": shelf.model}
            one = partial(once, shelf, length, chunk, policy, wanted.seed + number)
            rows.setdefault(str(length), []).append(cells.cell("prefill", f"{length}-{number}", settings, one))
    shelf.close()
    return figures(rows)


def figures(rows: Mapping[str, Sequence[Found]]) -> Found:
    """Medians over the rounds of each length."""
    found: Found = {}
    for name, length in (("16k", "16384"), ("32k", "32768")):
        if length in rows:
            found[f"ttft_{name}_share_of_ceiling"] = _median(rows[length], "share_of_ceiling")
            found[f"auto_{name}_speedup"] = _median(rows[length], "auto_speedup")
    by_length = {
        length: {name: _median(each, name) for name in ("auto_density", "auto_speedup", "fixed_speedup", "ceiling")}
        for length, each in rows.items()
    }
    return found | {"auto_by_length": by_length, "prefill_rows": dict(rows)}


def _median(rows: Sequence[Found], name: str) -> float:
    return rounded(median(row[name] for row in rows))


def once(shelf: _Shelf, length: int, chunk: int, auto: Sparsity, seed: int) -> Found:
    """One prompt in every way."""
    rig = shelf.rig()
    tokens = rig.prompt(haystack(rig.counter.count, length, seed).text)[: min(length, rig.window - SPARE)]
    made = fixed(len(tokens), DENSITY, chunk=chunk, last_rows=LAST)
    rig.read(tokens[:256])  # weights into memory
    found: Found = {"tokens": len(tokens)}
    for way, policy in (("dense", None), ("fixed", made.policy), ("auto", auto)):
        rig.attend(policy)
        found[way] = rig.read(tokens) | told(rig.counts, shelf.pairs(len(tokens), chunk))
    found["kernel"] = kernel(shelf.cell(len(tokens), chunk), seed)
    return found | compared(found) | {"policy": made.policy.fingerprint, "planned_density": rounded(made.density)}


def told(counts: Counts, pairs: int) -> Found:
    """What attention did: the density over all layers and steps, those that stayed dense among them."""
    known = {name: value for name, value in counts.told().items() if name != "seconds"}
    return known | {"clock": counts.seconds, "density": rounded((counts.computed + pairs - counts.possible) / pairs)}


def compared(found: Mapping[str, Any]) -> Found:
    """Speed-ups, and the ceiling of the fixed density: 1 / ((1 - s) + s / k).

    Example:
        >>> way = {"seconds": 10.0, "density": 0.12}
        >>> dense = {"seconds": 40.0, "density": 1.0}
        >>> clocks = {"clock": {"stock": 32.0}}, {"clock": {"own": 1.5, "selection": 0.5}}
        >>> ways = {"dense": dense | clocks[0], "fixed": way | clocks[1], "auto": way}
        >>> made = compared(ways | {"kernel": {"times": 16}})
        >>> made["ceiling"], made["share_of_ceiling"], made["attention_speedup_inside"]
        (4.0, 1.0, 16.0)
    """
    dense, sparse, auto = (found[way]["seconds"] for way in ("dense", "fixed", "auto"))
    share, times = found["dense"]["clock"]["stock"] / dense, found["kernel"]["times"]
    ceiling = 1 / ((1 - share) + share / times)
    return {
        "attention_share": rounded(share),
        "kernel_speedup": times,
        "attention_speedup_inside": rounded(found["dense"]["clock"]["stock"] / sum(found["fixed"]["clock"].values())),
        "ceiling": rounded(ceiling),
        "fixed_density": found["fixed"]["density"],
        "fixed_speedup": rounded(dense / sparse),
        "share_of_ceiling": rounded(dense / sparse / ceiling),
        "auto_density": found["auto"]["density"],
        "auto_speedup": rounded(dense / auto),
    }


def kernel(cell: Cell, seed: int) -> Found:
    """How many times faster attention at the fixed density is than vLLM's dense one, selection included."""
    query, pages = tensors(cell.length, Shape(cell.heads, cell.kv, cell.width), seed)
    extents, _ = chunks(cell.length, cell.chunk, cell.sampled)
    runs, densities = ways(cell, query, pages, extents, LAST)
    times = taken({"vllm": theirs(query, pages, extents), "selected": runs["selected"]}, cell.rounds)
    return {"times": times.times("selected", "vllm")["median"], "densities": densities} | times.told() | asdict(cell)


class _Shelf:
    """The engine, loaded when it is asked for, and the shape of its attention."""

    def __init__(self, model: str, longest: int, chunk: int) -> None:
        config = json.loads((Path(model) / "config.json").read_text("utf-8"))
        self.heads, self.layers = config["num_attention_heads"], config["num_hidden_layers"]
        self.kv = config.get("num_key_value_heads") or self.heads
        self.width = config.get("head_dim") or config["hidden_size"] // self.heads
        self.model = f"{config['architectures'][0]} of {config['hidden_size']} by {self.layers}"
        self._name, self._chunk, self._rig = model, chunk, None
        trained = config.get("max_position_embeddings", longest)
        self._window = min(longest + SPARE, max(trained, longest))

    def rig(self) -> Rig:
        """The engine."""
        if self._rig is None:
            from attention_engine import Rig

            self._rig = Rig.open(self._name, self._window, chunk=self._chunk, clock=True)
        return self._rig

    def pairs(self, tokens: int, chunk: int) -> int:
        """Tile pairs of dense attention over a prompt, in all layers and KV heads."""
        return self.layers * self.kv * sum(extent.pairs() for extent in chunks(tokens, chunk, 1 << 30)[0])

    def cell(self, tokens: int, chunk: int) -> Cell:
        """The attention of one layer."""
        return Cell(tokens, self.heads, self.kv, self.width, DENSITY, chunk, sampled=8, rounds=3)

    def close(self) -> None:
        """Release the engine, where there is one."""
        if self._rig is not None:
            self._rig.close()
