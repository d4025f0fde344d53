"""The notebooks run from the first cell to the last, offline, and show what the text around their cells says."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from ragctx.readers import missing

FOLDER = Path(__file__).parents[2] / "notebooks"
FILES = sorted(FOLDER.glob("*.ipynb"))
LONG = {"4"}  # reads with a language model: half a minute and more
each = pytest.mark.parametrize(
    "file",
    [pytest.param(file, id=file.stem, marks=[pytest.mark.slow] * (file.stem[0] in LONG)) for file in FILES],
)


def cells(file: Path, kind: str) -> list[str]:
    found = json.loads(file.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in found if cell["cell_type"] == kind]


async def shown(source: str, names: dict[str, object]) -> object:
    """Run one cell; the value of its last expression."""
    tree = ast.parse(source)
    last = ast.Expression(tree.body.pop().value) if isinstance(tree.body[-1], ast.Expr) else None
    value = None
    for part, mode in ((tree, "exec"), (last, "eval")):
        if part is not None:
            value = eval(compile(part, "cell", mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
            value = await value if inspect.iscoroutine(value) else value
    return value if last is not None else None


def run(file: Path) -> tuple[list[object], dict[str, object]]:
    """Every cell in order inside a running event loop, as Jupyter runs them: what they show, and the names left."""
    names: dict[str, object] = {"__name__": "__main__"}

    async def main():
        return [await shown(source, names) for source in cells(file, "code")]

    return asyncio.run(main()), names


def check_1(names):
    assert "4,650" in names["answer"].text
    assert (names["now"].answered, names["now"].pending) == (4, 0)
    assert len(names["rest"]) == 3


def check_2(names):
    tokens = [tokens for _, tokens, _, _ in names["sweep"]]
    assert tokens == sorted(tokens, reverse=True)
    assert tokens[0] > 1.5 * tokens[-1]
    assert names["held"].totals.tokens.expected <= 60_000 < names["free"].totals.tokens.expected
    billed, planned = names["answer"].usage.tokens, names["answer"].decision.chosen.estimate.tokens
    assert planned.low <= billed <= planned.high


def check_3(names):
    for context in (names["by_words"], names["by_reading"]):
        assert "Dogs may be kept" in " ".join(passage.text for passage in context.passages)
    assert not names["other"].passages
    assert names["other"].signals["all_pruned"] == 1
    assert "Dogs may be kept" in names["answer"].citations[0].text


def check_4(names):
    assert 0.2 < names["share"](names["weights"], names["look"], 2_048) < 0.3  # counted, not timed
    assert len(names["spent"]) > 4
    assert [step.failed for step in names["found_far"].steps] == [0, 0]
    assert "Bulwark" in names["answer_stands"]
    assert names["finders"] == ["vertical-slash"]
    densities = [density for _, density, *_ in names["rows"]]
    assert densities == sorted(densities, reverse=True)
    assert "Bulwark" in names["dense"].text
    counts = names["counts"]
    assert 0.4 < counts.density < 0.7
    assert set(counts.masses.layers) == set(range(2, 30))
    assert 0.7 < counts.masses.all.mean < 1


def check_5(names):
    assert names["found"].routes
    scores = {one.strategy: (one.score, one.tokens) for one in names["result"].summaries()}
    assert scores["router"][0] == scores["full"][0] > scores["retrieve"][0]
    assert scores["router"][1] < 0.7 * scores["full"][1]
    assert names["result"].calibration_error < 0.1


def check_6(names):
    assert names["planned"].prompt.expected == names["answer"].usage.prompt
    assert names["answer"].citations[0].source == "lease-alder-yard.md"
    assert (names["invented"].citations, names["invented"].unverified) == ((), 1)


CHECKS = {"1": check_1, "2": check_2, "3": check_3, "4": check_4, "5": check_5, "6": check_6}


@each
def test_it_holds_no_output_no_machine_and_no_dead_link(file):
    text = file.read_text(encoding="utf-8")
    made = json.loads(text)["cells"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in made if cell["cell_type"] == "code")
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)
    for link in re.findall(r"\]\(([^)]+)\)", "\n".join(cells(file, "markdown"))):
        assert (FOLDER / link).is_file(), link


def must_have_what_it_needs(file):
    if file.stem[0] == "5" and not find_spec("sklearn"):
        pytest.skip("fitting needs the extra calibrate")
    if file.stem[0] == "4" and (lacking := missing("local:smollm2-135m")):
        pytest.skip(f"a language model reads: {lacking}")


@each
def test_it_runs_offline(file, monkeypatch):
    must_have_what_it_needs(file)
    monkeypatch.chdir(FOLDER)
    values, names = run(file)
    CHECKS[file.stem[0]](names)
    views = [view for value in values if (view := getattr(value, "_repr_html_", lambda: None)())]
    assert len(views) >= 2
    assert not any("<script" in view for view in views)
    ids = Counter(found for view in views for found in re.findall(r' id="([^"]+)"', view))
    assert set(ids.values()) <= {1}


@pytest.mark.slow
@each
def test_it_runs_in_a_kernel(file):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    must_have_what_it_needs(file)
    made = nbformat.read(file, as_version=4)
    nbformat.validate(made)
    nbclient.NotebookClient(made, timeout=300, resources={"metadata": {"path": str(FOLDER)}}).execute()
    if find_spec("matplotlib"):
        drawn = [cell.outputs for cell in made.cells if "plt.subplots(" in cell.source]
        assert all(any("image/png" in output.get("data", {}) for output in outputs) for outputs in drawn)
