"""A wheel, built and installed into an empty environment, works and puts nothing but `ragctx` at top level."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = ["ragctx", "retrievers", "compressors", "agents", "pyproject.toml", "setup.py", "README.md", "LICENSE"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a clean copy of the sources."""
    source = tmp_path_factory.mktemp("source")
    for name in CODE:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.kernel"))
        else:
            shutil.copy(path, source / name)
    target = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(source)]
    subprocess.run(build, check=True, capture_output=True)
    [built] = target.glob("*.whl")
    return built


def test_the_wheel_holds_ragctx_and_nothing_else_at_top_level(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"ragctx"}
    assert {"ragctx/py.typed", "ragctx/retrievers/bm25.py", "ragctx/routing/policy.toml"} <= set(names)
    weights = {f"ragctx/encoders/extractive/weights/{name}" for name in ("reader.onnx", "tokenizer.json", "card.json")}
    assert weights <= set(names)


@pytest.mark.skipif(shutil.which("c++") is None or os.name != "posix", reason="no compiler here")
def test_the_wheel_holds_the_compiled_kernel_and_serves_every_python(wheel: Path) -> None:
    assert "ragctx/attention/kernels/cpu/attention-portable.kernel" in zipfile.ZipFile(wheel).namelist()
    assert "-py3-none-" in wheel.name


def test_it_works_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    python, ragctx = tmp_path / "env/bin/python", tmp_path / "env/bin/ragctx"
    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], check=True, capture_output=True)

    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], check=True, capture_output=True, text=True
    )
    packages = {line.partition("==")[0].lower() for line in listed.stdout.split()} - {"pip", "setuptools", "ragctx"}
    assert "torch" not in packages
    assert len(packages) <= 50, sorted(packages)

    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "lease.txt").write_text("The notice period is three months. Pets are allowed.\n")
    (tmp_path / "script.toml").write_text('default = "Three months. [1]"\n')

    def ask(*more: str) -> str:
        asked = subprocess.run(
            [ragctx, "ask", "What is the notice period?", "--documents", documents, *more],
            cwd=tmp_path,
            env={"RAGCTX_CACHE": str(tmp_path / "cache"), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert asked.returncode == 0, asked.stderr
        return " ".join((asked.stdout + asked.stderr).split())

    said = ask("--reader", "scripted:script.toml")
    assert "Three months" in said
    assert "BM25 alone" in said
    alone = ask()
    assert "extract: " in alone
    assert "no language model asked" in alone
    assert "answers are copied from the documents; for one: pip install" in alone
