"""Bugs planted in the kernel's logic: the comparison with the oracle that the real one passes catches each of them."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

from ragctx.attention.kernels import cpu
from ragctx.attention.kernels.cpu import libraries

torch = pytest.importorskip("torch", reason="needs the extra local")

SOURCES = Path(cpu.__file__).parent
COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++") or ""
FLAGS = ["-std=c++17", "-O1", "-fPIC", "-shared", "-pthread", "-w"]
PAIRED = ["-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512bf16"]
SHAPES = ("seven", "many for one", "long", "step")  # each of them is what some bug needs to show

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not COMPILER, reason="no C++ compiler"),
    pytest.mark.skipif(not (SOURCES / "kernel.cpp").exists(), reason="the kernel's sources are not beside it"),
]

BUGS = {
    "the diagonal lets one later key in": ("gather.h", "last >= first + k ?", "last >= first + k - 1 ?"),
    "the diagonal leaves the own key out": ("gather.h", "last >= first + k ?", "last > first + k ?"),
    "no tile is cut at the diagonal": ("kernel.cpp", "cut = from + n + 1 == count", "cut = false"),
    "the accumulator is not rescaled": ("product.h", " * shrink[n % NV]", ""),
    "the sum is not rescaled": ("gather.h", "own.total + v * WIDE) * shrink[v]", "own.total + v * WIDE)"),
    "exp for exp2": ("kernel.cpp", "call_.scale * LOG2E", "call_.scale"),
    "the maximum forgets": ("gather.h", "shrink[v] = exp2(before - now)", "shrink[v] = all(1.0f)"),
    "groups are dealt in turn": (
        "lanes.h",
        "long(task.head) * group_ + n / task.queries()",
        "long(task.head) + n / task.queries() * (call_.heads / group_)",
    ),
    "the first tile is dropped": ("kernel.cpp", "int n = 0; n < some; n++) {", "int n = some > 1; n < some; n++) {"),
    "the first tile of a turn is taken again": ("kernel.cpp", "tiles[from + n] * size_}", "tiles[n] * size_}"),
    "rows are read backwards": ("kernel.cpp", "row = own.row + t;", "row = own.row + tiles(r) - 1 - t;"),
    "a turn's lanes are the first ones": (
        "kernel.cpp",
        "turned_.fill(task, from + s * LANES",
        "turned_.fill(task, s * LANES",
    ),
    "heads are packed over each other": ("kernel.cpp", "heads_[n].at = size;", "heads_[n].at = 0;"),
    "the last key is lost": ("pack.h", "call_.keys[r] - begin);", "call_.keys[r] - begin - (call_.keys[r] == 200));"),
    "what is after the end is read": ("pack.h", "std::min(TILE, call_.keys[r] - begin)", "TILE"),
    "the place in a page is forgotten": ("pack.h", "columns(at + begin % call_.page,", "columns(at,"),
    "the sum is left out of the log-sum-exp": ("lanes.h", " + std::log2(slot.total[n])", ""),
    "requests begin at the first query": ("kernel.cpp", "tokens_[r] + begin - first(r)", "begin - first(r)"),
}
PAIRED_BUGS = {
    "an odd key counts as the even one": ("pack.h", "value[p * DEEP + DEEP - 1]", "value[p * DEEP]"),
    "probabilities are paired the wrong way": ("gather.h", "pairs(even, odd);", "pairs(odd, even);"),
    "an odd dimension counts as the even one": ("lanes.h", "row + u * DEEP + DEEP - 1", "row + u * DEEP"),
}


def compiled(folder: Path, planted: tuple[str, str, str] | None, paired: bool) -> ctypes.CDLL:
    """The kernel with one piece of its text replaced."""
    for source in SOURCES.glob("*.h"):
        shutil.copy(source, folder)
    shutil.copy(SOURCES / "kernel.cpp", folder)
    if planted:
        name, old, new = planted
        text = (folder / name).read_text()
        assert old in text, f"{name} no longer says {old!r}: plant the bug where that went"
        (folder / name).write_text(text.replace(old, new))
    library = folder / "planted.so"
    flags = [*FLAGS, *(PAIRED if paired else [])]
    subprocess.run([COMPILER, *flags, str(folder / "kernel.cpp"), "-o", str(library)], check=True, capture_output=True)
    return ctypes.CDLL(str(library))


def passes(library, dtype, calls, apart, monkeypatch) -> bool:
    """Whether the kernel is as right as it must be, over every call."""
    monkeypatch.setattr(libraries, "library", lambda name: library)
    most = {torch.float32: 1e-5, torch.bfloat16: 1e-2}[dtype]
    for shape in SHAPES:
        for density in (0.4, 1.0):
            for pages in (True, False) if shape == "seven" else (True,):
                output, lse = apart(calls(shape, dtype, density), cpu.attend, pages)
                if output > most or lse > 1e-4:
                    return False
    return True


@pytest.mark.parametrize("planted", [None, *BUGS.values()], ids=["none", *BUGS])
def test_a_bug_of_the_logic_shows(planted, tmp_path, calls, apart, monkeypatch):
    library = compiled(tmp_path, planted, paired=False)
    assert passes(library, torch.float32, calls, apart, monkeypatch) is (planted is None)


@pytest.mark.skipif(libraries.ROUNDS not in libraries.running(), reason="this machine multiplies no bfloat16")
@pytest.mark.parametrize("planted", [None, *PAIRED_BUGS.values()], ids=["none", *PAIRED_BUGS])
def test_a_bug_of_the_pairing_shows(planted, tmp_path, calls, apart, monkeypatch):
    library = compiled(tmp_path, planted, paired=True)
    assert passes(library, torch.bfloat16, calls, apart, monkeypatch) is (planted is None)
