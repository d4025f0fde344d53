"""Every command and every Python block of the README runs as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
COMMANDS = [line[2:] for kind, body in BLOCKS if kind == "console" for line in body.splitlines() if line[:2] == "$ "]
PYTHON = [body for kind, body in BLOCKS if kind == "python"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the README's reader has it: the checkout's examples, an own cache."""
    folder = tmp_path_factory.mktemp("newcomer")
    shutil.copytree(ROOT / "examples", folder / "examples")
    return folder


def run(command: list[str], folder: Path) -> None:
    """Run one command as the newcomer; what it printed is shown if it fails."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAGCTX_")}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "RAGCTX_CACHE": str(folder / "cache"),
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def test_the_readme_has_something_to_run() -> None:
    assert len(COMMANDS) >= 5
    assert len(PYTHON) >= 2


def test_every_command_in_order(newcomer: Path) -> None:
    for command in COMMANDS:
        run(["bash", "-c", command], newcomer)


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_every_python_block_alone(newcomer: Path, number: int) -> None:
    run([sys.executable, "-c", PYTHON[number]], newcomer)


def test_make_targets_named_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake (\w+)", README):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
