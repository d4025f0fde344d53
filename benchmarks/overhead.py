"""Engine overhead: scripted questions that cost nothing to answer, so that all the time is the engine's own.

Resident memory is read after a tenth of the questions and at the end: flat means that the second is not larger.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

from ragctx.engine import Engine, Job
from ragctx.readers.scripted import Scripted
from ragctx.work import Completion, Generate, Message, Work, ask


def read(number: int) -> Work[Completion]:
    return (yield from ask(Generate((Message("user", f"Question {number}?"),))))


def jobs(count: int) -> Iterator[Job[Completion]]:
    return (Job(str(number), lambda number=number: read(number)) for number in range(count))


def resident_mb() -> float:
    """This process's resident memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def measure(questions: int = 10_000) -> dict[str, object]:
    with Engine({"reader": Scripted(default="yes")}) as engine:
        for outcome in engine.map(jobs(questions // 10)):
            outcome.result()
        before = resident_mb()
        start = time.perf_counter()
        done = sum(outcome.result().text == "yes" for outcome in engine.map(jobs(questions)))
        seconds = time.perf_counter() - start
    assert done == questions
    return {
        "engine_ms_per_request": round(seconds / questions * 1000, 3),
        "engine_requests": questions,
        "engine_memory_growth_mb": round(resident_mb() - before, 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=10_000)
    print(json.dumps(measure(parser.parse_args().questions), indent=2))
