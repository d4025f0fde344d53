"""The compiled kernel's libraries: built where a compiler is, done without where none is, in every way to install."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ["ragctx", "retrievers", "compressors", "agents", "setup.py", "pyproject.toml", "README.md", "LICENSE"]
FOLDER = "ragctx/attention/kernels/cpu"
COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
SETS = {"avx512bf16", "avx512", "avx2", "portable"}

pytestmark = pytest.mark.slow
needs_compiler = pytest.mark.skipif(not COMPILER, reason="no C++ compiler")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A clean copy of the sources, as a checkout has them."""
    skip = shutil.ignore_patterns("__pycache__", "*.kernel", "*.onnx")
    for name in CODE:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, tmp_path / "source" / name, ignore=skip)
        else:
            (tmp_path / "source").mkdir(exist_ok=True)
            shutil.copy(path, tmp_path / "source" / name)
    return tmp_path / "source"


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A compiler that ends with an error at a flag that it does not know."""
    script = tmp_path / "older"
    refused = '*" -mavx512bf16 "*|*" -mavx512f "*|*" -mavx2 "*'
    script.write_text(f'#!/bin/sh\ncase " $* " in {refused}) exit 1;; esac\nexec {COMPILER} "$@"\n')
    script.chmod(0o755)
    return script


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def install(source: Path, target: Path, **environment: str) -> str:
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation", "--target", target, "."]
    return run(*pip, cwd=source, **environment)


def asked(target: Path) -> str:
    """Which kernel an installation names."""
    code = "import torch; from ragctx.attention.kernels.choice import kernel; print(kernel(64, torch.float32).name)"
    return run(sys.executable, "-c", code, cwd=target, PYTHONPATH=str(target)).split()[-1]


def libraries(names: list[str]) -> set[str]:
    return {Path(name).stem.removeprefix("attention-") for name in names if name.endswith(".kernel") and FOLDER in name}


def test_without_a_compiler_the_installation_succeeds(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    install(source, target, CC="/nowhere/cc", CXX="/nowhere/c++", LDSHARED="/nowhere/cc", LDCXXSHARED="/nowhere/c++")
    assert not list(target.rglob("*.kernel"))
    assert (target / FOLDER / "libraries.py").exists()
    pytest.importorskip("torch", reason="needs the extra local")
    assert asked(target) == "torch"


@needs_compiler
def test_a_compiler_without_an_instruction_set_builds_the_others(source: Path, tmp_path: Path, older: Path) -> None:
    target = tmp_path / "target"
    install(source, target, CC=str(older), CXX=str(older))
    assert libraries([str(path) for path in target.rglob("*.kernel")]) == {"portable"}
    pytest.importorskip("torch", reason="needs the extra local")
    assert asked(target) == "cpu/portable"


@needs_compiler
def test_the_wheel_of_a_source_archive_has_them_all(source: Path, tmp_path: Path) -> None:
    """The archive holds what the build needs, headers too; the wheel is for every Python 3 on this kind of machine."""
    out = tmp_path / "out"
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ".", cwd=source)  # the wheel from the archive
    [archive], [wheel] = out.glob("*.tar.gz"), out.glob("*.whl")
    with tarfile.open(archive) as opened:
        inside = {name.partition("/")[2] for name in opened.getnames()}
    wanted = {f"{FOLDER}/{path.name}" for path in (ROOT / FOLDER).iterdir() if path.suffix in {".h", ".cpp", ".py"}}
    assert wanted <= inside
    assert "setup.py" in inside
    assert not libraries(sorted(inside))
    everything = SETS if platform.machine() == "x86_64" and sys.platform == "linux" else {"portable"}
    assert libraries(zipfile.ZipFile(wheel).namelist()) == everything
    python, abi, machine = wheel.stem.split("-")[-3:]
    assert (python, abi) == ("py3", "none")
    assert machine != "any"


@needs_compiler
def test_an_editable_installation_has_it_beside_the_sources(source: Path, tmp_path: Path, older: Path) -> None:
    hook = "import sys; from setuptools.build_meta import build_editable as hook; hook(sys.argv[1])"  # what pip calls
    run(sys.executable, "-c", hook, str(tmp_path), cwd=source, CC=str(older), CXX=str(older))
    assert libraries([str(path) for path in (source / FOLDER).glob("*.kernel")]) == {"portable"}
