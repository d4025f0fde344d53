from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ragctx.encoders.extractive import missing


@pytest.mark.skipif(bool(missing()), reason="the reading model is not here")
@pytest.mark.slow
def test_the_example_prints_passages_with_their_places(folder: Path) -> None:
    asked = ["What is the rent of Kestrel Wharf?", "--tokens", "60"]
    command = [sys.executable, str(folder / "langchain_pruning.py"), *asked]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    assert "relevance" in said
    assert 0 < len(said) < 1500
