"""The front door is light, and says how a command ends."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

HEAVY = {"torch", "transformers", "pydantic", "openai", "numpy", "bm25s", "pypdf", "faiss", "sentence_transformers"}


def test_help_imports_nothing_heavy(finished):
    show = "import atexit, sys; atexit.register(lambda: sys.stderr.write(' '.join(sys.modules)))"
    done = finished("--help", before=show)
    assert done.code == 0
    assert "batch" in done.out
    assert not HEAVY & set(done.err.split())


@pytest.mark.alone
def test_help_is_there_in_seven_tenths_of_a_second():
    command = [sys.executable, "-c", "import sys; from ragctx.cli import main; sys.argv = ['ragctx', '--help']; main()"]
    times = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.7


@pytest.mark.parametrize(
    "command", ["index", "plan", "ask", "batch", "explain", "cache", "doctor", "strategies", "probe"]
)
def test_every_command_has_help_within_eighty_columns(ragctx, command):
    done = ragctx(command, "--help")
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= 80


def test_the_exit_codes_are_told(ragctx):
    told = " ".join(ragctx("--help").out.split())
    for code in ("0 done", "2 setting", "3 input", "4 limit", "5 model", "6 store", "7 failed rows", "130 interrupted"):
        assert code in told


def test_version(ragctx):
    from ragctx import __version__

    assert ragctx("--version").out.strip() == f"ragctx {__version__}"


@pytest.mark.parametrize(
    "arguments", [("aks", "q"), ("ask",), ("ask", "q", "--budgt", "5"), ("ask", "q", "--budget", "x")]
)
def test_a_mistyped_command_line_is_a_usage_error(ragctx, arguments):
    done = ragctx(*arguments)
    assert done.code == 2
    assert done.err


def test_a_mistyped_command_is_told_the_nearest(ragctx):
    assert "index" in ragctx("indx").err
    assert "--budget" in ragctx("ask", "q", "--budgt", "5").err
