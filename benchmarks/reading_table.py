"""Markdown tables of what reading with several calls scores and costs."""

from __future__ import annotations

from typing import Any

ROWS = [
    ("strategies", "strategies that ran", "all"),
    ("fixed_error", "worst relative error of a fixed strategy's prompt tokens (95 of 100 rows)", "at most 0.05"),
    ("estimate_error", "worst median relative error of an adaptive strategy", "at most 0.20"),
    ("estimate_held", "least share of rows with low <= billed <= high", "at least 0.90"),
    ("estimate_width", "widest high over low", "at most 4"),
    ("clustered_token_reduction", "clustered: prompt tokens saved a question", "at least 0.46"),
    ("clustered_once", "clustered: tokens that the summaries cost, once", ""),
    ("clustered_pays_after", "clustered: questions after which they are paid for", ""),
    ("concurrency_ratio", "200 chains at once over the longest chain", "at most 1.3"),
]

PARTS = {"examples": "over the example documents", "data": "over rows of data sets"}


def lines(result: dict[str, Any]) -> list[str]:
    """The figures; score, tokens, calls and seconds by strategy; score by strategy and kind; estimates."""
    result = {**result, **{f"clustered_{name}": value for name, value in (result.get("clustered") or {}).items()}}
    told = [f"Taken on {result['date']}: `{result['command']}`.", "", "| figure | measured | asked |", "|---|--:|---|"]
    told += [f"| {what} | {_cell(result[name])} | {asked} |" for name, what, asked in ROWS if name in result]
    head = ["rows", "failed", "score", "tokens", "calls", "seconds", "estimate off by", "held"]
    keys = ("rows", "failed", "score", "tokens", "calls", "seconds", "error", "held")
    for part, table in (result.get("by_part") or {}).items():
        told += _table([PARTS[part], *head], [[name, *(row.get(key) for key in keys)] for name, row in table.items()])
    for figure in ("score", "tokens", "calls"):
        by = result.get(f"{figure}_by_kind") or {}
        kinds = list(dict.fromkeys(kind for row in by.values() for kind in row))
        told += _table(
            [f"{figure} by kind", *kinds], [[name, *(row.get(k) for k in kinds)] for name, row in by.items()]
        )
    return told


def _table(head: list[str], rows: list[list[Any]]) -> list[str]:
    if not rows:
        return []
    rule = "|---" + "|--:" * (len(head) - 1) + "|"
    return ["", f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(map(_cell, row))} |" for row in rows)]


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
