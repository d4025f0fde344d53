"""The benchmark of many chains drives the chains it says it drives, and names its figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "chains.py"


def test_chains_of_two_to_twelve_calls() -> None:
    command = [sys.executable, str(SCRIPT), "--questions", "22", "--latency", "0.02"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (found["questions"], found["shortest_chain"], found["longest_chain"]) == (22, 2, 12)
    assert found["calls"] == 2 * sum(range(2, 13))
    assert found["seconds"] >= found["longest_chain_seconds"] > 0
    assert found["concurrency_ratio"] >= 1.0
