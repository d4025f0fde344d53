"""Draws the stored figures: `python benchmarks/compression_plots.py [RESULT] [FOLDER]`. Needs matplotlib.

Answers against the ratio, one panel for the mean and one for each set; and against the place of the gold passage.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

HERE = Path(__file__).parent
FULL = "full text"
# Okabe and Ito's colours, which stay apart for every kind of colour vision; each also has a mark and a dash of its own.
STYLES = {
    "longllmlingua": ("#0072B2", "o", "-", 2.6),
    "longllmlingua iterative": ("#56B4E9", "s", "--", 1.6),
    "llmlingua package": ("#D55E00", "X", "-", 2.2),
    "perception": ("#CC79A7", "D", "-.", 1.6),
    "provence": ("#009E73", "^", "-", 1.6),
    "embedding-sentences": ("#E69F00", "v", ":", 1.8),
    "bm25-sentences": ("#555555", "P", "--", 1.6),
    "llmlingua2": ("#000000", "*", ":", 1.6),
}
OTHERWISE = ("#999999", ".", "-", 1.4)
INK, GRID = "#222222", "#d9d9d9"
LOOK = {
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.edgecolor": "#888888",
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
}
Curve = Mapping[str, float]


def quality(result: Mapping[str, Any], file: Path) -> None:
    """F1 by ratio: the mean of the sets, then every set."""
    panels = {"mean of the sets": result["f1"]} | {
        name.replace("_", " "): {
            way: {ratio: row["f1"] for ratio, row in by_ratio.items()} for way, by_ratio in by_way.items()
        }
        for name, by_way in result["quality_by_set"].items()
    }
    rows = -(-len(panels) // 3)
    figure, axes = plt.subplots(rows, 3, figsize=(13, 4.1 * rows), squeeze=False, layout="constrained")
    for axis, (name, curves) in zip(axes.flat, panels.items(), strict=False):
        _curves(axis, curves, _number)
        axis.set_title(_shortened(name), loc="left")
        axis.set_xscale("log", base=2)
        axis.set_xticks([2, 4, 8], ["2x", "4x", "8x"])
        axis.minorticks_off()
        axis.set_xlim(1.8, 8.9)
    for axis in list(axes.flat)[len(panels) :]:
        axis.set_axis_off()
    for row in axes:
        row[0].set_ylabel("F1 of the answer")
    _legend(figure, axes.flat[0], "Answers from a half, a quarter and an eighth of the tokens")
    _save(figure, file)


def position(result: Mapping[str, Any], file: Path) -> None:
    """How often the answer is right by where the gold passage stands."""
    figure, axis = plt.subplots(figsize=(8, 4.6), layout="constrained")
    curves = result["position_contains"]
    for name, curve in curves.items():
        colour, mark, dash, width = (INK, "o", ":", 1.8) if name == FULL else STYLES.get(name, OTHERWISE)
        places = [int(place) for place in curve]
        axis.plot(places, list(curve.values()), color=colour, marker=mark, ls=dash, lw=width, ms=7, label=name)
    axis.set_xticks(places)
    axis.set_xlabel("place of the gold passage among twenty")
    axis.set_ylabel("answers that contain the gold one")
    axis.set_ylim(0, max(0.05, 1.12 * max(value for curve in curves.values() for value in curve.values())))
    _grid(axis)
    ratio = result["position_ratio"]
    _legend(figure, axis, f"The place of the gold passage, in full text and compressed to 1/{ratio}")
    _save(figure, file)


def _curves(axis: Axes, curves: Mapping[str, Curve], number: Any) -> None:
    whole = curves.get(FULL, {}).get("1")
    if whole is not None:
        axis.axhline(whole, color=INK, lw=1.2, ls=(0, (1, 1.5)), label=FULL)
    top = max([whole or 0.0, *(value for curve in curves.values() for value in curve.values())])
    for name in _ordered(curves):
        colour, mark, dash, width = STYLES.get(name, OTHERWISE)
        places = [number(ratio) for ratio in curves[name]]
        axis.plot(places, list(curves[name].values()), color=colour, marker=mark, ls=dash, lw=width, ms=7, label=name)
    axis.set_ylim(0, max(0.05, 1.1 * top))
    _grid(axis)


def _ordered(curves: Mapping[str, Curve]) -> list[str]:
    """The most interesting last, so that it lies on top."""
    known = [name for name in reversed(STYLES) if name in curves]
    return [*(name for name in curves if name not in STYLES and name != FULL), *known]


def _number(ratio: str) -> float:
    return float(ratio)


def _grid(axis: Axes) -> None:
    axis.grid(axis="y", color=GRID, lw=0.8)
    axis.set_axisbelow(True)


def _shortened(name: str) -> str:
    return name if len(name) <= 30 else f"{name[:27]}..."


def _legend(figure: Any, axis: Axes, title: str) -> None:
    handles, labels = axis.get_legend_handles_labels()
    pairs = dict(zip(reversed(labels), reversed(handles), strict=True))
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
    figure.legend(pairs.values(), pairs, loc="outside lower center", ncols=min(4, len(pairs)), frameon=False)


def _save(figure: Any, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=150, facecolor="white")
    plt.close(figure)


def main(arguments: Sequence[str]) -> None:
    result = json.loads(Path(arguments[0] if arguments else HERE / "results" / "compression.json").read_text())
    folder = Path(arguments[1] if len(arguments) > 1 else HERE / "results")
    with mpl.rc_context(LOOK):
        if result.get("f1"):
            quality(result, folder / "compression-quality.png")
        if result.get("position_contains"):
            position(result, folder / "compression-position.png")


if __name__ == "__main__":
    main(sys.argv[1:])
