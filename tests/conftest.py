"""Every test runs with its own cache folder, without a hub, and on one thread a process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the user's cache folder or settings."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("RAGCTX_CACHE", str(folder))
    for name in [n for n in os.environ if n.startswith("RAGCTX_") and n not in {"RAGCTX_CACHE", "RAGCTX_BENCH_DATA"}]:
        monkeypatch.delenv(name)
    return folder
