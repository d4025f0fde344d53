"""Draws the policy `auto` by length: `python benchmarks/attention_plots.py [RESULT] [FOLDER]`. Needs matplotlib.

Three panels over the same lengths: how much of dense attention it computes, how much faster the first token comes,
and how it answers beside dense attention, by kind of question. A panel without figures says so.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from compression_plots import GRID, INK, LOOK
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

HERE = Path(__file__).parent
AUTO, FIXED = "#0072B2", "#E69F00"
KINDS = {
    "eight-key": ("#0072B2", "o"),
    "multi-value": ("#D55E00", "s"),
    "tracing": ("#009E73", "^"),
    "question-first": ("#CC79A7", "D"),
}
"""Okabe and Ito's colours, each with a mark of its own; `auto` is the full line, dense attention the dotted one."""


def lengths(result: Mapping[str, Any], file: Path) -> None:
    """Density, speed-up and quality of `auto` by length."""
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.4), layout="constrained")
    density(axes[0], result.get("auto_by_length") or {})
    speed(axes[1], result.get("auto_by_length") or {})
    quality(axes[2], result.get("quality_rows") or [])
    for axis in axes:
        _lengths(axis)
    figure.suptitle("The policy auto by length of the prompt", x=0.01, ha="left", fontsize=13, fontweight="bold")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=150, facecolor="white")
    plt.close(figure)


def density(axis: Axes, by_length: Mapping[str, Any]) -> None:
    """Tiles computed, of those of dense attention."""
    _line(axis, {int(length): row["auto_density"] for length, row in by_length.items()}, AUTO, "auto")
    axis.set_ylim(0, 1.05)
    axis.set_title("share of dense attention computed", loc="left")


def speed(axis: Axes, by_length: Mapping[str, Any]) -> None:
    """Dense attention's seconds until the first token over those of the policy."""
    _line(axis, {int(length): row["auto_speedup"] for length, row in by_length.items()}, AUTO, "auto")
    fixed = {int(length): row["fixed_speedup"] for length, row in by_length.items()}
    _line(axis, fixed, FIXED, "fixed density 0.12", "--", "s")
    axis.axhline(1.0, color=INK, lw=1, ls=":")
    axis.set_ylim(bottom=0)
    axis.set_title("times faster to the first token", loc="left")


def quality(axis: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """Scores of `auto` and of dense attention, chunks together; kinds that dense attention cannot do are left out."""
    for kind, (colour, mark) in KINDS.items():
        own = [row for row in rows if row["kind"] == kind and row["counts"]]
        _line(axis, by_length(own, "auto"), colour, kind, mark=mark)
        _line(axis, by_length(own, "dense"), colour, "", ":", mark)
    axis.set_ylim(0, 1.05)
    axis.set_title("answers right (dotted: dense)", loc="left")


def by_length(rows: Sequence[Mapping[str, Any]], policy: str) -> dict[int, float]:
    """A policy's score at each length, over all chunks."""
    own = [row for row in rows if row["policy"] == policy]
    found = {}
    for length in sorted({row["length"] for row in own}):
        cells = [row for row in own if row["length"] == length]
        asked = sum(row["questions"] for row in cells)
        found[length] = sum(row["score"] * row["questions"] for row in cells) / asked
    return found


def _line(axis: Axes, points: Mapping[int, float], colour: str, label: str, dash: str = "-", mark: str = "o") -> None:
    if points:
        axis.plot(list(points), list(points.values()), color=colour, marker=mark, ls=dash, lw=1.8, ms=7, label=label)


def _lengths(axis: Axes) -> None:
    if not axis.lines or not any(len(line.get_xdata()) and line.get_marker() != "None" for line in axis.lines):
        axis.text(0.5, 0.5, "not measured yet", ha="center", va="center", transform=axis.transAxes, color=INK)
        axis.set_xticks([])
        return
    axis.set_xscale("log", base=2)
    axis.set_xticks([4096, 8192, 16384, 32768], ["4K", "8K", "16K", "32K"])
    axis.minorticks_off()
    axis.set_xlabel("tokens of the prompt")
    axis.grid(axis="y", color=GRID, lw=0.8)
    axis.set_axisbelow(True)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(frameon=False)


def main(arguments: Sequence[str]) -> None:
    result = json.loads(Path(arguments[0] if arguments else HERE / "results" / "attention.json").read_text())
    folder = Path(arguments[1] if len(arguments) > 1 else HERE / "results")
    with mpl.rc_context(LOOK):
        lengths(result, folder / "attention-lengths.png")


if __name__ == "__main__":
    main(sys.argv[1:])
