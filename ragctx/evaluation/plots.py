"""Pictures of an evaluation: what quality costs, by kind, how predictions and plans held, and who read what.

Figures are matplotlib's, made without its global state; `svg` makes a picture for a page of either theme of one.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from ragctx.errors import MissingExtra
from ragctx.evaluation.frontier import hull
from ragctx.evaluation.results import ROUTER, Evaluation, ScoredRow, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
else:
    Axes = Figure = object

COLOURS: Final = ("#4a90d9", "#d9822b", "#5aa469", "#b05fa8", "#c9a227", "#c0504d", "#7f8c9b", "#3aa6a6")
_INK: Final = "#010203"  # stands for the page's own colour of text, which is put in its place
_STYLE: Final[Mapping[str, Any]] = {
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "svg.fonttype": "none",
    "svg.hashsalt": "ragctx",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": None,
    "font.size": 10,
}
_MOST_NAMED: Final = 12
_LONG: Final = 16
_KIND: Final = 24
_BANDS: Final = 5
_WIDE, _HIGH = 7.2, 3.8


def cost_quality(found: Evaluation) -> Figure:
    """Mean score against mean tokens of every arm, each reader with the hull that mixing its arms reaches."""

    def draw(axes: Axes) -> None:
        for place, reader in enumerate(dict.fromkeys(reader for reader, _ in found.arms)):
            arms = [one for one in found.summaries() if one.reader == reader]
            colour = COLOURS[place % len(COLOURS)]
            _arms(axes, arms, colour)
            corners = hull((one.tokens, one.score) for one in arms)
            axes.plot(*zip(*corners, strict=True), color=colour, linewidth=1.2, label=reader)
        axes.set(xlabel="tokens billed a question", ylabel="score", ylim=(0, 1.02))
        _legend(axes)

    return _figure(draw)


def kinds(found: Evaluation) -> Figure:
    """Mean score by kind of question, a bar for each arm, with 95 % intervals."""
    by_kind = found.by_kind()
    names = list(dict.fromkeys(one.kind for one in by_kind))

    def draw(axes: Axes) -> None:
        width = 0.8 / len(found.arms)
        for place, arm in enumerate(found.arms):
            mine = [one for one in by_kind if (one.reader, one.strategy) == arm]
            at = [names.index(one.kind) + (place + 0.5) * width - 0.4 for one in mine]
            scores = [one.score for one in mine]
            spread = [[one.score - one.low for one in mine], [one.high - one.score for one in mine]]
            bars: dict[str, Any] = {
                "yerr": spread,
                "error_kw": {"linewidth": 0.8, "ecolor": _INK},
                "width": width * 0.92,
            }
            axes.bar(at, scores, color=COLOURS[place % len(COLOURS)], label=_arm(found, *arm), **bars)
        axes.set_xticks(range(len(names)), [_short(name or "(no kind)") for name in names])
        axes.set(ylabel="score", ylim=(0, 1.05))
        _legend(axes)

    return _figure(draw)


def calibration(found: Evaluation) -> Figure:
    """Predicted quality against scores; on the diagonal a prediction came true."""

    def draw(axes: Axes) -> None:
        bins = found.calibration()
        axes.plot([0, 1], [0, 1], color=_INK, linewidth=0.8, linestyle=":")
        most = max(one.count for one in bins)
        sizes = [20 + 160 * one.count / most for one in bins]
        axes.plot([b.predicted for b in bins], [b.scored for b in bins], color=COLOURS[0], linewidth=1.2)
        axes.scatter([b.predicted for b in bins], [b.scored for b in bins], s=sizes, color=COLOURS[0], alpha=0.8)
        axes.set(xlabel="predicted quality", ylabel="mean score", xlim=(0, 1), ylim=(0, 1.02))

    return _figure(draw)


def plan_actual(found: Evaluation) -> Figure:
    """Tokens billed against tokens planned, a point for each answered question; on the diagonal a plan held."""

    def draw(axes: Axes) -> None:
        from matplotlib.ticker import LogLocator

        rows = found.planned
        ends = [max(1.0, f(f(r.expected or 1, r.tokens) for r in rows)) for f in (min, max)]
        axes.plot(ends, ends, color=_INK, linewidth=0.8, linestyle=":")
        for place, strategy in enumerate(dict.fromkeys(row.taken for row in rows)):
            mine = [row for row in rows if row.taken == strategy]
            planned, billed = [row.expected or 1 for row in mine], [row.tokens for row in mine]
            axes.scatter(planned, billed, s=14, alpha=0.7, color=COLOURS[place % len(COLOURS)], label=strategy)
        axes.set(xscale="log", yscale="log", xlabel="tokens planned", ylabel="tokens billed")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
            axis.set_minor_formatter(lambda value, _: "")
        _legend(axes)

    return _figure(draw)


def routing_share(found: Evaluation) -> Figure:
    """Which strategy read, by the length of the documents: equal numbers of questions in each band."""

    def draw(axes: Axes) -> None:
        bands = _bands(routed(found))
        left = [0.0] * len(bands)
        for place, strategy in enumerate(sorted({row.taken for band in bands for row in band})):
            shares = [sum(row.taken == strategy for row in band) / len(band) for band in bands]
            colour = COLOURS[place % len(COLOURS)]
            axes.barh(range(len(bands)), shares, left=left, color=colour, label=strategy or "(none)", height=0.7)
            left = [before + share for before, share in zip(left, shares, strict=True)]
        axes.set_yticks(range(len(bands)), [_span(band) for band in bands])
        axes.set(xlabel="share of questions", ylabel="tokens of the documents", xlim=(0, 1))
        _legend(axes)

    return _figure(draw)


def routed(found: Evaluation) -> list[ScoredRow]:
    """Rows where the policy chose and the documents' length is known."""
    return [row for row in found.rows if row.strategy == ROUTER and row.document_tokens is not None]


def pictures(found: Evaluation) -> dict[str, Figure]:
    """Every picture that this evaluation has the rows for, by its heading.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    every: tuple[tuple[str, object, Callable[[Evaluation], Figure]], ...] = (
        ("What quality costs", found.rows, cost_quality),
        ("By kind of question", found.rows, kinds),
        ("Predicted quality, and what came of it", found.calibration(), calibration),
        ("Tokens planned and billed", found.planned, plan_actual),
        ("Who read, by the length of the documents", routed(found), routing_share),
    )
    return {title: draw(found) for title, rows, draw in every if rows}


def svg(figure: Figure, name: str) -> str:
    """The figure as an inline SVG element: text in the page's colour, nothing behind it, ids of its own.

    Args:
        figure: what is drawn.
        name: letters that no other picture of the page has.
    """
    from matplotlib import rc_context

    written = io.StringIO()
    with rc_context({key: value for key, value in _STYLE.items() if value is not None}):
        figure.savefig(written, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None})
    drawn = written.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    # What only editors read, and a rule that would hold for the whole page, stay out.
    drawn = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", drawn)
    return drawn.replace(_INK, "currentColor")


def _figure(draw: Callable[[Axes], None]) -> Figure:
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure as Made
    except ImportError as error:
        raise MissingExtra("drawing pictures", "plots", "matplotlib") from error
    with rc_context({key: value for key, value in _STYLE.items() if value is not None}):
        made = Made(figsize=(_WIDE, _HIGH), layout="constrained")
        axes = made.subplots()
        axes.grid(visible=True, color=_INK, alpha=0.12, linewidth=0.6)
        axes.set_axisbelow(True)
        draw(axes)
        return made


def _arms(axes: Axes, arms: Iterable[Summary], colour: str) -> None:
    for one in arms:
        spread = [[one.score - one.low], [one.high - one.score]]
        axes.errorbar([one.tokens], [one.score], yerr=spread, color=colour, marker="o", linewidth=0.8, alpha=0.85)
        axes.annotate(one.strategy, (one.tokens, one.score), xytext=(6, 5), textcoords="offset points")


def _arm(found: Evaluation, reader: str, strategy: str) -> str:
    return strategy if len({name for name, _ in found.arms}) == 1 else f"{strategy}, {reader}"


def _legend(axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) <= _MOST_NAMED:
        columns = 2 if max(map(len, labels), default=0) > _LONG else 4
        axes.figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)


def _short(name: str) -> str:
    return name if len(name) <= _KIND else name[: _KIND - 1] + "…"


def _bands(rows: list[ScoredRow]) -> list[list[ScoredRow]]:
    ordered = sorted(rows, key=lambda row: row.document_tokens or 0)
    size = max(1, math.ceil(len(ordered) / _BANDS))
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]


def _span(band: list[ScoredRow]) -> str:
    first, last = (round(band[place].document_tokens or 0) for place in (0, -1))
    return f"{first:,}" if first == last else f"{first:,} to {last:,}"
