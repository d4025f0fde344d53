"""A text file of 200 MB is indexed and answers a question, in far less memory than it has characters."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import json, resource, sys
from ragctx import Pipeline
from ragctx.readers.scripted import Scripted

with Pipeline.over(sys.argv[1], reader=Scripted(default="In the harbour. [1]"), encoder=None) as pipeline:
    answer = pipeline.ask("Where was barrel 1234567 found?", strategy="retrieve")
    plan = pipeline.plan("What is this about?", strategy="full")
print(json.dumps({
    "cited": [citation.text for citation in answer.citations],
    "length": sum(coverage.length for coverage in answer.coverage),
    "why": plan[0].decision.why,
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


@pytest.mark.slow
def test_two_hundred_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    block = "".join(f"On day {n} the crew weighed the catch and mended the nets. " for n in range(2000)) + "\n\n"
    with path.open("w", encoding="utf-8") as file:
        for number in range(1900):
            file.write(block)
            if number == 1200:
                file.write("Barrel 1234567 was found in the harbour.\n\n")
    assert path.stat().st_size > 200_000_000
    done = subprocess.run([sys.executable, "-c", CODE, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout)
    assert result["cited"] == ["Barrel 1234567 was found in the harbour."]
    assert result["length"] > 200_000_000
    assert result["peak_mb"] < 1000
