"""Scripts beside the tests that need a process of their own: Triton decides when it is imported what it does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

BESIDE = Path(__file__).parent


@pytest.fixture
def told(tmp_path):
    """Run a script of this folder; what it tells, a dictionary a line."""
    pytest.importorskip("torch", reason="needs the extra local")
    if find_spec("triton") is None:
        pytest.skip("needs the extra gpu: Triton is not installed")

    def run(script, *arguments):
        environment = {**os.environ, "TRITON_CACHE_DIR": str(tmp_path / "triton"), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(BESIDE / script), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=900, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run
