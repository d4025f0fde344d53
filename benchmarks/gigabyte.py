"""Resident memory while indexing and asking over a gigabyte of text, BM25 alone.

The text is the data folder's documents, repeated with a running number in every paragraph so that no two documents are
equal. The measured process is a child of its own; its peak is the kernel's figure (`ru_maxrss`).
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def write(data: Path, target: Path, megabytes: float) -> float:
    """Files of about 4 MB each until so many megabytes are there; returns megabytes written."""
    sources = sorted(data.glob("*/documents/*.txt"))
    total, number, part = 0, 0, []
    while total < megabytes * 1e6:
        text = sources[number % len(sources)].read_text(encoding="utf-8", errors="replace")
        part.append("\n\n".join(f"{p} [{number}]" for p in text.split("\n\n")))
        number += 1
        if sum(map(len, part)) > 4_000_000:
            total += (target / f"part-{number}.txt").write_text("\n\n".join(part), encoding="utf-8")
            part = []
    return total / 1e6


def child(documents: Path, store: Path) -> dict[str, object]:
    """Index, then answer twenty questions with a scripted reader; peak memory of this whole process."""
    from ragctx import Pipeline
    from ragctx.readers.scripted import Scripted

    start = time.perf_counter()
    with Pipeline.over(
        documents, reader=Scripted(default="It does not say."), encoder=None, cache=False, folder=store
    ) as pipeline:
        pipeline.prepare()
        indexed = time.perf_counter() - start
        start = time.perf_counter()
        for number in range(20):
            pipeline.ask(
                f"What happened to the patient number {number} in the report about supply risk?", strategy="retrieve"
            )
        asked = time.perf_counter() - start
        chunks = len(pipeline.corpus.chunks)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "gigabyte_peak_mb": round(peak),
        "gigabyte_index_s": round(indexed),
        "gigabyte_ask_s": round(asked / 20, 2),
        "gigabyte_chunks": chunks,
    }


def measure(data: Path, megabytes: float = 1000.0) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as scratch:
        documents, store = Path(scratch, "documents"), Path(scratch, "store")
        documents.mkdir()
        written = write(data, documents, megabytes)
        command = [sys.executable, __file__, "--child", str(documents), str(store)]
        result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(result.stdout.splitlines()[-1]) | {"gigabyte_mb": round(written)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--megabytes", type=float, default=1000.0)
    parser.add_argument("--child", nargs=2, type=Path, metavar=("DOCUMENTS", "STORE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    print(json.dumps(child(*options.child) if options.child else measure(options.data, options.megabytes)))
