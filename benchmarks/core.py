"""The figures of the core: start-up, engine, prefix reuse, indexing, recall, kills. One JSON object at the end.

    python benchmarks/core.py --data DIR [--model DIR] [--quick] [--json] [--store FILE]

`--quick` takes a few minutes: smaller sizes, and the figures that need the better part of an hour come from the stored
full run (`benchmarks/results/core.json`), with its date. What cannot be measured without a data folder or a package is
null, and `why_null` says why.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import gigabyte
import indexing
import kills
import overhead
import prefix
import recall
import startup
from parts import null

STORED = Path(__file__).parent / "results" / "core.json"
NO_DATA = "needs --data DIR or RAGCTX_BENCH_DATA"
NO_LOCAL = "needs the extra: pip install 'ragctx[local]'"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("RAGCTX_BENCH_DATA"))
    parser.add_argument(
        "--model", default=os.environ.get("RAGCTX_BENCH_MODEL"), help="folder of a causal LM for prefix reuse"
    )
    parser.add_argument("--quick", action="store_true", help="a few minutes instead of the better part of an hour")
    parser.add_argument("--json", action="store_true", help="print the JSON object alone")
    parser.add_argument("--store", type=Path, help="write the object to a file as well")
    parser.add_argument("--only", nargs="*", help="only these parts: " + ", ".join(PARTS))
    return parser.parse_args()


def _startup(_: argparse.Namespace) -> dict[str, object]:
    return startup.measure()


def _overhead(_: argparse.Namespace) -> dict[str, object]:
    return overhead.measure(10_000)


def _prefix(wanted: argparse.Namespace) -> dict[str, object]:
    if find_spec("torch") is None:
        return null(NO_LOCAL, "prefix_reuse_ratio")
    return prefix.measure(
        f"local:{wanted.model}" if wanted.model else "local:smollm2-135m", sample=3 if wanted.quick else None
    )


def _indexing(wanted: argparse.Namespace) -> dict[str, object]:
    if not wanted.data or find_spec("sentence_transformers") is None:
        return null(NO_LOCAL if wanted.data else NO_DATA, "index_vs_encoder", "reindex_s")
    return indexing.measure(Path(wanted.data), megabytes=1.0 if wanted.quick else 10.0)


def _recall(wanted: argparse.Namespace) -> dict[str, object]:
    if not wanted.data:
        return null(NO_DATA, "recall")
    if wanted.quick:
        return _from_store("recall")
    return {"recall": recall.measure(Path(wanted.data))}


def _gigabyte(wanted: argparse.Namespace) -> dict[str, object]:
    if not wanted.data:
        return null(NO_DATA, "gigabyte_peak_mb")
    if wanted.quick:
        return _from_store("gigabyte_peak_mb", "gigabyte_index_s", "gigabyte_ask_s", "gigabyte_mb")
    return gigabyte.measure(Path(wanted.data))


def _kills(wanted: argparse.Namespace) -> dict[str, object]:
    return kills.measure(kills=20 if wanted.quick else 100)


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, object]]] = {
    "startup": _startup,
    "overhead": _overhead,
    "prefix": _prefix,
    "indexing": _indexing,
    "recall": _recall,
    "gigabyte": _gigabyte,
    "kills": _kills,
}


def _from_store(*names: str) -> dict[str, object]:
    if not STORED.exists():
        return null("no stored full run: run without --quick", *names)
    stored = json.loads(STORED.read_text())
    return {name: stored.get(name) for name in names} | {"stored": {name: stored["date"] for name in names}}


def machine() -> str:
    """Processor, cores and memory in words."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GiB, Python {platform.python_version()}"


def main() -> None:
    wanted = options()
    command = " ".join(["python", "benchmarks/core.py", *(["--quick"] if wanted.quick else [])])
    result: dict[str, object] = {"date": str(date.today()), "machine": machine(), "command": command}
    nested: dict[str, dict[str, object]] = {"why_null": {}, "stored": {}}
    for name in wanted.only or PARTS:
        start = time.perf_counter()
        try:
            part = PARTS[name](wanted)
        except Exception as error:  # noqa: BLE001 - one part that cannot run must not lose the others' figures
            traceback.print_exc()
            part = {"why_null": {name: f"{type(error).__name__}: {error}"}}
        for key, values in nested.items():
            values.update(part.pop(key, {}))  # type: ignore[arg-type]
        result |= part
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    result |= nested
    if wanted.store:
        wanted.store.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=None if wanted.json else 2))


if __name__ == "__main__":
    main()
