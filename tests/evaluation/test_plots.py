from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from ragctx.evaluation.results import ROUTER, Evaluation, ScoredRow
from ragctx.views import evaluations
from ragctx.views.page import page

HOSTILE = "<script>alert(1)</script> $x_{$ | & \u202e"


def row(number: int, strategy: str, **changes: object) -> ScoredRow:
    fields = {"score": number % 2, "tokens": 100 * number + 1, "expected": 90.0, "low": 1.0, "high": 900.0}
    fields |= {"predicted": number / 10, "document_tokens": 500.0 * number}
    asked = (f"q{number}", HOSTILE, f"d{number}", HOSTILE if number % 2 else "fact", f"m {HOSTILE}")
    return ScoredRow(*asked, strategy, "full", "squad-f1", **fields | changes)


FOUND = Evaluation(
    HOSTILE,
    (*(row(n, arm) for n in range(9) for arm in ("full", ROUTER)), row(9, "full", failure=HOSTILE, expected=None)),
    {"squad-f1": "SQuAD"},
)


def test_pictures_are_part_of_the_page_and_of_its_theme() -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib, the extra plots")
    from ragctx.evaluation import plots

    drawn = plots.pictures(FOUND)
    assert len(drawn) == 5
    for number, figure in enumerate(drawn.values()):
        picture = plots.svg(figure, f"p{number}")
        assert ElementTree.fromstring(picture).tag.endswith("svg")
        assert "currentColor" in picture
        assert not re.search(r"<script|<style|<image|#010203|href=\"(?!#)", picture)
        ids = set(re.findall(r'\bid="([^"]+)"', picture))
        assert all(one.startswith(f"p{number}-") for one in ids)
        assert {one for one in re.findall(r"url\(#([^)]+)\)", picture)} <= ids
    assert plots.svg(plots.kinds(FOUND), "p") == plots.svg(plots.kinds(FOUND), "p")


def test_an_evaluation_with_little_in_it_has_fewer_pictures() -> None:
    pytest.importorskip("matplotlib", reason="pictures need matplotlib, the extra plots")
    from ragctx.evaluation import plots

    bare = Evaluation("t", (ScoredRow("q", "?", "g", "", "m", "full", "full", "squad-f1", 1.0),))
    assert list(plots.pictures(bare)) == ["What quality costs", "By kind of question"]


def test_the_page_escapes_everything_and_asks_for_nothing() -> None:
    made = page(FOUND.title, evaluations.html(FOUND, "full"))
    assert "<script" not in made
    assert "&lt;script&gt;" in made
    assert not re.search(r'(?:src|href)="(?!#)', made)
    assert FOUND._repr_html_().count("<h2>") >= 2


def test_without_matplotlib_the_page_says_so(monkeypatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    made = evaluations.html(FOUND)
    assert "no pictures" in made
    assert "ragctx[plots]" in made


def test_markdown_keeps_its_cells() -> None:
    made = evaluations.markdown(FOUND, "full")
    assert "<script" not in made
    tables = [line for line in made.splitlines() if line.startswith("|")]
    assert tables
    assert all(line.replace("\\|", "").count("|") >= 3 for line in tables)
