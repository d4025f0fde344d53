"""The core benchmark runs, names its figures, and says why a figure is null."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "core.py"


def run(*arguments: str) -> dict[str, object]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAGCTX_BENCH")}
    command = [sys.executable, str(SCRIPT), "--quick", "--json", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    result: dict[str, object] = json.loads(done.stdout)
    return result


@pytest.mark.slow
def test_figures_come_as_one_json_object() -> None:
    result = run("--only", "overhead")
    assert {"engine_ms_per_request", "engine_requests", "date", "machine", "command"} <= set(result)


def test_without_data_a_figure_is_null_with_its_reason() -> None:
    result = run("--only", "indexing", "recall", "gigabyte")
    assert result["index_vs_encoder"] is None
    assert result["recall"] is None
    assert set(result["why_null"]) == {"index_vs_encoder", "reindex_s", "recall", "gigabyte_peak_mb"}
    assert all("RAGCTX_BENCH_DATA" in why for why in result["why_null"].values())
