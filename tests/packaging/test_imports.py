"""The rules about who may import whom, and that the rules can be broken (so the check is not empty)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IN_VLLM = [f"ragctx.attention.vllm.{name}" for name in ("cpu", "cuda")]
"""Classes on vLLM's own, which only vLLM imports."""
PLUGINS = ["agents", "compressors", "retrievers"]


def lay_out(target: Path) -> Path:
    """The package as an installation lays it out: plug-in folders inside `ragctx`."""
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "ragctx", target / "ragctx", ignore=skip)
    for name in PLUGINS:
        shutil.copytree(ROOT / name, target / "ragctx" / name, ignore=skip)
    return target


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    options = ["--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    environment = {"PYTHONPATH": str(tree), "PATH": "/usr/bin:/bin", "HOME": str(tree)}
    return subprocess.run([*command, *options], cwd=tree, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("victim", "line"),
    [
        ("ragctx/corpus/__init__.py", "import ragctx.retrievers"),
        ("ragctx/pipeline.py", "from ragctx.agents import anything"),
        ("ragctx/retrievers/bm25.py", "import ragctx.compressors"),
        ("ragctx/retrievers/bm25.py", "import ragctx.engine"),
        ("ragctx/types/costs.py", "import ragctx.work"),
    ],
)
def test_a_planted_forbidden_import_is_caught(tmp_path: Path, victim: str, line: str) -> None:
    tree = lay_out(tmp_path)
    path = tree / victim
    path.write_text(path.read_text() + f"\n{line}\n")
    result = lint(tree)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "BROKEN" in result.stdout


def test_the_tree_as_it_stands_keeps_the_rules(tmp_path: Path) -> None:
    result = lint(lay_out(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr


def test_no_plugin_folder_is_ever_a_top_level_module() -> None:
    code = (
        "import sys, importlib, pkgutil, ragctx\n"
        "for module in pkgutil.walk_packages(ragctx.__path__, 'ragctx.'):\n"
        f"    if module.name not in {IN_VLLM}:\n"
        "        importlib.import_module(module.name)\n"
        "from ragctx import registry\n"
        "for group in ('strategies', 'retrievers', 'readers', 'encoders'):\n"
        "    for name in registry.names(group):\n"
        "        registry.find(group, name)\n"
        f"assert 'ragctx.retrievers.bm25' in sys.modules\n"
        f"found = sorted(set(sys.modules) & set({PLUGINS}))\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_import_is_light() -> None:
    """`import ragctx` and its lazy public names load no heavy package until something needs it."""
    code = (
        "import sys, ragctx\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'bm25s', 'openai', 'pydantic', 'numpy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "ragctx.Question, ragctx.Pipeline\n"
        "assert not {'torch', 'transformers', 'bm25s', 'openai'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
