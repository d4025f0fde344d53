"""The planning benchmark runs, and plans every question."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "planning.py"


def test_every_question_is_planned_without_a_call() -> None:
    command = [sys.executable, str(SCRIPT), "--questions", "30", "--json"]
    behind, offline = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    for found in (behind, offline):
        assert sum(found["strategies"].values()) == found["questions"] == 30
        assert "" not in found["strategies"]
        assert found["second_look_rate"] == 0
    assert set(offline["strategies"]) == {"extract"}
    assert len(behind["strategies"]) > 2
