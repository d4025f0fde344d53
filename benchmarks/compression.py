"""The figures of the compressors: speed, agreement, budgets, numbers, answers. One JSON object at the end.

    python benchmarks/compression.py --data DIR [--peer PYTHON] [--model DIR] [--quick] [--json] [--only PART ...]

- speed: LongLLMLingua against the package `llmlingua` 0.2.2 on the same contexts, weights and threads. The package runs
  in an environment of its own, whose Python `--peer` names (`peer_llmlingua.py` says how to make it).
- ranks: how alike both order the documents, and how much half precision changes of our own order and kept tokens.
- budgets: samples of every set of the folder, every compressor, never over the budget and well filled.
- numbers: the share of the gold answers' numbers that is left of tables (`tatqa`).
- quality: F1 of a language model (`--model`) reading full text and what every method leaves at 2x, 4x and 8x.
- position: the same by where the gold passage stands among twenty.

`--rows FOLDER` keeps every answer and everything the package said: a run that was killed goes on. `--quick` takes few
samples, and from the stored run what needs the package or a language model. What cannot be measured is null, and
`why_null` says why. Samples are always the same ones: they are drawn by the digests of their ids, and nothing else here
is left to chance but the bootstrap, whose seed is told.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import parts
from core import NO_DATA, NO_LOCAL, machine
from parts import null
from pruning import NO_MODEL

STORED = Path(__file__).parent / "results" / "compression.json"
NO_PEER = "needs --peer PYTHON, of an environment that has llmlingua 0.2.2 (benchmarks/peer_llmlingua.py)"
LONG = "needs a language model for hours: run without --quick"
SEED = 0
QUICK, LENGTHS = (1000, 2000), (1000, 2000, 3000, 4000, 6000)
"""Tokens of contexts, for speed and ranks."""
COUNTS = {"contexts": (1, 2), "samples": (1, 3), "tables": (8, 60), "questions": (3, 20), "package": (0, 10)}
"""Of samples: when quick, and else."""
Figures = dict[str, Any]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("RAGCTX_BENCH_DATA"))
    parser.add_argument(
        "--model", default=os.environ.get("RAGCTX_BENCH_MODEL"), help="folder of a causal LM that reads"
    )
    parser.add_argument("--peer", help="the Python of an environment with llmlingua 0.2.2")
    parser.add_argument("--llmlingua2", metavar="NAME", help="folder or hub name of an LLMLingua-2 checkpoint")
    parser.add_argument("--rows", type=Path, help="folder that keeps single answers, so that a run can be killed")
    parser.add_argument("--threads", type=int, default=1, help="of every model, the package's too")
    parser.add_argument("--reader-dtype", default="bfloat16", help="precision of the model that reads")
    parser.add_argument(
        "--source", type=int, default=3000, help="tokens of a source; of longer ones BM25 finds so much"
    )
    parser.add_argument("--lengths", type=int, nargs="*", help="tokens of contexts, for speed and ranks")
    parser.add_argument("--contexts", type=int, help="of each length, for speed and ranks")
    parser.add_argument("--samples", type=int, help="of each set, for budgets")
    parser.add_argument("--tables", type=int, help="questions for numbers")
    parser.add_argument("--questions", type=int, help="of each set, for quality and position")
    parser.add_argument(
        "--package", type=int, help="of these, how many the package compresses too: it takes a minute each"
    )
    parser.add_argument("--quick", action="store_true", help="few samples, no language model")
    parser.add_argument("--json", action="store_true", help="print the JSON object alone, on one line")
    parser.add_argument("--store", type=Path, help="write the object to a file as well")
    parser.add_argument("--resume", action="store_true", help="go on with the parts that the --store file lacks")
    parser.add_argument("--only", nargs="*", choices=list(PARTS), help="only these parts", metavar="PART")
    wanted = parser.parse_args()
    if wanted.resume and not wanted.store:
        parser.error("--resume goes on with a file: name it with --store")
    for name, (few, many) in COUNTS.items():
        if getattr(wanted, name) is None:
            setattr(wanted, name, few if wanted.quick else many)
    wanted.lengths = tuple(wanted.lengths or (QUICK if wanted.quick else LENGTHS))
    wanted.data = Path(wanted.data) if wanted.data else None
    if wanted.rows:
        wanted.rows.mkdir(parents=True, exist_ok=True)
    return wanted


def _compared(wanted: argparse.Namespace) -> Any:
    """The rows that speed and ranks are told from, made once."""
    import compression_speed

    if not hasattr(wanted, "compared"):
        wanted.compared = compression_speed.rows(wanted)
    return wanted.compared


def _speed(wanted: argparse.Namespace) -> Figures:
    import compression_peer
    import compression_speed

    rows, head = _compared(wanted)
    told = compression_speed.speed(rows, head, compression_peer.difference(wanted, head) if head else 0.0)
    return told | ({} if head else null(NO_PEER, "speed_vs_llmlingua"))


def _ranks(wanted: argparse.Namespace) -> Figures:
    import compression_speed

    rows, head = _compared(wanted)
    return compression_speed.ranks(rows) | ({} if head else null(NO_PEER, "rank_correlation"))


def _budgets(wanted: argparse.Namespace) -> Figures:
    import compression_budgets

    return compression_budgets.measure(wanted)


def _numbers(wanted: argparse.Namespace) -> Figures:
    import compression_quality
    from compression_rig import rig

    with rig(wanted) as models:
        return compression_quality.numbers_kept(models, wanted)


def _quality(wanted: argparse.Namespace) -> Figures:
    import compression_quality as quality
    from compression_rig import rig

    with rig(wanted, wanted.rows / "replies.sqlite" if wanted.rows else None) as models:
        rows = quality.Rows(_file(wanted), quality.identity(models, wanted))
        return quality.quality(quality.answered(models, quality.asked(models, wanted), rows))


def _position(wanted: argparse.Namespace) -> Figures:
    import compression_quality as quality
    from compression_rig import rig

    with rig(wanted, wanted.rows / "replies.sqlite" if wanted.rows else None) as models:
        return quality.position(models, wanted, quality.Rows(_file(wanted), quality.identity(models, wanted)))


def _file(wanted: argparse.Namespace) -> Path | None:
    return wanted.rows / "answers.jsonl" if wanted.rows else None


PARTS: dict[str, Callable[[argparse.Namespace], Figures]] = {
    "speed": _speed,
    "ranks": _ranks,
    "budgets": _budgets,
    "numbers": _numbers,
    "quality": _quality,
    "position": _position,
}
PROMISED = {
    "speed": ("speed_vs_llmlingua",),
    "ranks": ("rank_correlation",),
    "budgets": ("budget_overshoots", "budget_fill"),
    "numbers": ("numbers_kept",),
    "quality": ("f1", "contains", "f1_vs_package", "f1_vs_package_as_long"),
    "position": ("position_f1", "position_contains"),
}
"""Figures that are in every result, null where they could not be measured."""


def _lacking(name: str, wanted: argparse.Namespace) -> str:
    """Why a part cannot be measured here; empty where it can."""
    if not wanted.data:
        return NO_DATA
    if find_spec("torch") is None:
        return NO_LOCAL
    if name in ("quality", "position"):
        return LONG if wanted.quick else "" if wanted.model else NO_MODEL
    return ""


def measured(wanted: argparse.Namespace) -> Figures:
    """Every part that is asked for."""

    def measure(name: str) -> Figures:
        why = _lacking(name, wanted)
        return null(why, *PROMISED[name]) if why else PARTS[name](wanted)

    also = lambda name: {"command": _command(name, wanted)}  # noqa: E731 - one line of a call
    return parts.measured(wanted, begun(wanted), PARTS, measure, PROMISED, STORED, also)


def _command(name: str, wanted: argparse.Namespace) -> str:
    """The command that measures a part again, folders left out."""
    counts = [f"--{count} {getattr(wanted, count)}" for count in COUNTS]
    peer = "--peer PYTHON" if wanted.peer else ""
    model = f"--model {Path(wanted.model).name}" if wanted.model else ""
    said = [f"--only {name}", f"--threads {wanted.threads}", f"--source {wanted.source}", *counts, model, peer]
    return " ".join(["python benchmarks/compression.py --data DIR", *filter(None, said)])


def begun(wanted: argparse.Namespace) -> Figures:
    """The head of a result, and with `--resume` the finished parts of an earlier one."""
    command = " ".join(["python benchmarks/compression.py", *(["--quick"] if wanted.quick else [])])
    head: Figures = {"date": str(date.today()), "machine": machine(), "command": command, "seed": SEED}
    known = json.loads(wanted.store.read_text()) if wanted.resume and wanted.store.exists() else {}
    alike = known.get("command") == command
    return parts.resumed(head, known if alike else {}, wanted.only or ())


def main() -> None:
    wanted = options()
    parts.told(wanted, measured(wanted))


if __name__ == "__main__":
    main()
