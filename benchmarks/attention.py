"""Sparse attention, measured: `python benchmarks/attention.py --model DIR --rows FOLDER [--quick] [--only PART ...]`.

    kernels    our kernel against vLLM's own dense one for CPUs, on the same tensors, in one thread
    errors     our kernel against float64
    prefill    whole prompts in vLLM: what a fixed density gives of what it could, and what the policy `auto` gives
    quality    needles in long texts: every rule, and `auto` beside dense attention; the attention mass that it keeps
    positions  a model of 8,192 tokens on longer texts: dual chunk attention, YaRN, and positions as they are

All but `errors` need vLLM's own environment (make install-vllm). Every finished cell is kept in `--rows`; with
`--resume` cells are taken from there, and parts from `--store`. Seconds are CPU seconds of one thread.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import parts
from attention_cells import Cells, machine
from parts import Figures, null

STORED = Path(__file__).parent / "results" / "attention.json"
NO_TORCH = "torch is not installed: pip install 'ragctx[local]'"
NO_VLLM = "vLLM is not installed here: run this with the Python of its own environment (make install-vllm)"
NO_MODEL = "no model folder: give --model DIR, a checkpoint with a window of 32,768 tokens"
TOO_LONG = "takes too long for --quick: from a stored full run, where there is one"
PROMISED: Mapping[str, Sequence[str]] = {
    "kernels": ("dense_8k_vs_vllm", "dense_128k_vs_vllm", "sparse_32k_vs_vllm", "sparse_128k_vs_vllm"),
    "errors": ("max_error_f32", "max_error_bf16"),
    "prefill": ("ttft_16k_share_of_ceiling", "ttft_32k_share_of_ceiling", "auto_16k_speedup", "auto_by_length"),
    "quality": ("policy_quality_gap", "kept_mass_p5", "quality_pairs"),
    "positions": ("dual_16k_share", "dual_32k_share"),
}
CHUNKS = [2048, 0]
SLOW = ("prefill", "quality", "positions")


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="checkpoint folder for prefill and quality, e.g. of a Qwen2.5 of 0.5B")
    parser.add_argument("--rows", type=Path, help="folder that keeps every finished cell")
    parser.add_argument("--resume", action="store_true", help="take cells from --rows and parts from --store")
    parser.add_argument("--only", nargs="+", choices=PROMISED, metavar="PART", help=", ".join(PROMISED))
    parser.add_argument("--store", type=Path, help=f"where the result goes, e.g. benchmarks/results/{STORED.name}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lengths", type=int, nargs="+", help="tokens, of prefill, quality and positions")
    parser.add_argument("--rules", nargs="+", help="of quality; all, and auto, by default")
    parser.add_argument("--chunks", type=int, nargs="+", default=CHUNKS, help="of quality; 0 is the whole prompt")
    parser.add_argument("--quick", action="store_true", help="fewer chunks and rounds, slow parts from the stored run")
    parser.add_argument("--toy", action="store_true", help="tiny sizes, which only show that everything runs")
    parser.add_argument("--json", action="store_true", help="one line")
    return parser.parse_args(arguments)


def measure(part: str, wanted: argparse.Namespace, cells: Cells) -> Figures:
    """A part's figures, or nulls with the reason."""
    if why := lacking(part, wanted):
        return null(why, *PROMISED[part])
    module: Any = importlib.import_module(f"attention_{part}")
    if part in SLOW:
        found: Figures = module.measure(cells, wanted)
        return _whole(part, found, "not among the lengths and rules that were asked for")
    size = {"quick": "QUICK", "toy": "TOY"}
    name = next((size[each] for each in ("toy", "quick") if getattr(wanted, each)), SIZES[part])
    if part == "kernels" and (why := module.missing()):
        return null(why, *PROMISED[part])
    return _whole(part, module.measure(cells, getattr(module, name), wanted.seed), TOO_LONG)


SIZES = {"kernels": "CELLS", "errors": "CALLS"}


def lacking(part: str, wanted: argparse.Namespace) -> str:
    """Why a part cannot be measured; empty where it can."""
    if find_spec("torch") is None:
        return NO_TORCH
    if part != "errors" and find_spec("vllm") is None:
        return NO_VLLM
    if part in SLOW and wanted.quick and not wanted.toy:
        return TOO_LONG
    return NO_MODEL if part in ("prefill", "quality") and not wanted.model else ""


def _whole(part: str, found: Figures, why: str) -> Figures:
    """A part's figures with nulls for those that were promised and not measured."""
    absent = null(why, *(name for name in PROMISED[part] if name not in found))
    reasons: Any = absent.pop("why_null")
    known: Any = found.get("why_null", {})
    nulls = reasons | known
    return found | absent | ({"why_null": nulls} if nulls else {})


def also(wanted: argparse.Namespace) -> Figures:
    """What is told of each part and each cell: how it was made, and where."""
    return {"command": command(wanted), "seed": wanted.seed, "machine": machine()}


def command(wanted: argparse.Namespace) -> str:
    """How to get the same again, without this machine's paths."""
    told = ["python benchmarks/attention.py"]
    told += [f"--{name} {name.upper()}" for name in ("model", "rows") if getattr(wanted, name)]
    many = {name: getattr(wanted, name) for name in ("only", "lengths", "rules", "chunks")}
    told += [f"--{name} {' '.join(map(str, each))}" for name, each in many.items() if each and each is not CHUNKS]
    told += [f"--seed {wanted.seed}"] if wanted.seed else []
    return " ".join(told + [f"--{name}" for name in ("quick", "toy", "resume") if getattr(wanted, name)])


def begun(wanted: argparse.Namespace) -> dict[str, Any]:
    """A result to begin with: parts that were stored before and are not measured now stay as they were."""
    head: Figures = {"date": str(date.today()), "command": command(wanted), "machine": machine()["processor"]}
    known = json.loads(wanted.store.read_text()) if wanted.store and wanted.store.exists() else {}
    if not wanted.resume and not wanted.only:
        return parts.resumed(head, {})
    return parts.resumed(head, known, wanted.only or ())


def main() -> None:
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    wanted = options()
    names = tuple(PROMISED)
    stamp = also(wanted)
    cells = {name: Cells(wanted.rows, wanted.resume, stamp) for name in names}
    result = parts.measured(
        wanted,
        begun(wanted),
        names,
        lambda name: measure(name, wanted, cells[name]),
        PROMISED,
        STORED,
        lambda name: stamp | {"date": cells[name].measured},
    )
    parts.told(wanted, result)


if __name__ == "__main__":
    main()
