"""Passages a second of a length, the size of the file, and the seconds from process start to the first answer."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ragctx.work import Relevances, Rerank, raised

ROOT = Path(__file__).parents[1]
COMMON = ("river", "town", "house", "water", "light", "stone", "bridge", "market", "winter", "road", "tower", "church")
QUESTION = "When was the old bridge over the river built?"


def passages(count: int, words: int, seed: int = 0) -> tuple[str, ...]:
    """Texts of words that are one token each, no two alike."""
    chance = random.Random(seed)
    return tuple(" ".join(chance.choices(COMMON, k=words)) for _ in range(count))


def per_second(backend: Any, tokens: int, count: int, runs: int = 3) -> float:
    """Median passages a second, question included in the tokens; the first run warms up."""

    def read(number: int, size: int, seed: int) -> Relevances:
        [reply] = backend.serve([Rerank(QUESTION, passages(number, size, seed))], lambda *_: None)
        said = raised(reply)
        assert isinstance(said, Relevances)
        return said

    words = 32 + tokens - read(1, 32, 99).tokens
    assert read(1, words, 99).tokens == tokens
    taken = []
    for run in range(runs):
        start = time.perf_counter()
        read(count, words, run)
        taken.append(count / (time.perf_counter() - start))
    return round(statistics.median(taken), 1)


def first_answer_s(runs: int = 5) -> dict[str, object]:
    """Median seconds of `ragctx ask` over indexed example documents, and whether torch or scikit-learn came in."""
    asked = ["How much deposit did the tenant of Unit 7, Kestrel Wharf, pay?", "--documents", "examples/documents"]
    chosen = ["--strategy", "extract", "--reader", "extractive", "--encoder", "none", "--json"]
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "RAGCTX_CACHE": cache, "HF_HUB_OFFLINE": "1"}
        command = [str(Path(sys.executable).with_name("ragctx")), "ask", *asked, *chosen]
        taken = []
        for _ in range(runs + 1):
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=environment)
            taken.append(time.perf_counter() - start)
        tell = "finally: print(*sorted(sys.modules), file=sys.stderr)"
        spy = f"import sys; from ragctx.cli import main\ntry: main()\n{tell}"
        command = [sys.executable, "-c", spy, *command[1:]]
        loaded = subprocess.run(command, capture_output=True, cwd=ROOT, env=environment, text=True).stderr.split()
    return {
        "first_answer_s": round(statistics.median(taken[1:]), 2),
        "first_answer_loads": [name for name in ("torch", "sklearn", "transformers") if name in loaded],
    }
