"""The compressors' figures as Markdown tables, for `table.py`."""

from __future__ import annotations

from typing import Any

ROWS = [
    ("speed_vs_llmlingua", "LongLLMLingua, times the speed of `llmlingua` 0.2.2", "at least 10"),
    ("speed_iterative_vs_llmlingua", "the same, iterative form", ""),
    ("speed_float32_vs_llmlingua", "the same, scorer in float32", ""),
    ("fast_tokens_per_s", "tokens a second", ""),
    ("package_tokens_per_s", "the package's tokens a second", ""),
    ("same_weights_difference", "largest difference of log-probabilities in both environments", ""),
    (
        "rank_correlation",
        "rank correlation of the document order with the package, asked in its words",
        "at least 0.9",
    ),
    ("rank_correlation_own_words", "the same, asked in ours", ""),
    ("rank_correlation_float32", "with our own float32 run", "at least 0.98"),
    ("kept_overlap_float32", "kept tokens shared with our own float32 run (Jaccard)", "at least 0.97"),
    ("kept_overlap_package", "kept tokens shared with the package (Jaccard)", ""),
    ("budget_runs", "compressions over samples of every set", ""),
    ("budget_overshoots", "of them over the budget", "0"),
    ("budget_fill", "the least filled budget of 200 tokens and more, words dropped", "at least 0.95"),
    ("budget_unused_units", "sentences left out that would still have fitted", "0"),
]
"""Figure, what it is, what was asked of it."""


def lines(result: dict[str, Any]) -> list[str]:
    """The figures; answers by method and ratio, and by set; numbers kept; positions."""
    told = [f"Taken on {result['date']}: `{result['command']}`.", "", "| figure | measured | asked |", "|---|--:|---|"]
    told += [
        f"| {what} | {cell(result[name])} | {asked} |" for name, what, asked in ROWS if result.get(name) is not None
    ]
    told += _times(result.get("speed_rows") or [])
    told += _by_ratio("F1, mean of the sets", result.get("f1") or {})
    told += _by_ratio("answer contains the gold one", result.get("contains") or {})
    for name, by_way in (result.get("quality_by_set") or {}).items():
        f1 = {way: {ratio: row["f1"] for ratio, row in by_ratio.items()} for way, by_ratio in by_way.items()}
        told += _by_ratio(f"F1 on {name}", f1)
    told += _package("LongLLMLingua and the package", result.get("f1_vs_package") or {})
    told += _package("LongLLMLingua, as long as the package's", result.get("f1_vs_package_as_long") or {})
    told += _by_ratio("gold numbers left on tatqa", result.get("numbers_kept") or {})
    return told + _positions(result.get("position_contains") or {})


def _times(rows: list[dict[str, Any]]) -> list[str]:
    ways = ("fast_s", "iterative_s", "float32_s", "package_s")
    head = ["tokens", "rate", "fast, seconds", "iterative", "float32", "package"]
    return _table(head, [[row["tokens"], f"{row['rate']:.2f}", *(row.get(way) for way in ways)] for row in rows])


def _by_ratio(what: str, found: dict[str, dict[str, float]]) -> list[str]:
    ratios = sorted({ratio for row in found.values() for ratio in row}, key=int)
    rows = [[name, *(row.get(ratio) for ratio in ratios)] for name, row in found.items()]
    return _table([what, *(f"{ratio}x" for ratio in ratios)], rows)


def _package(what: str, found: dict[str, dict[str, Any]]) -> list[str]:
    head = [what, "questions", "F1", "package", "difference (95 %)", "package over budget"]
    rows = []
    for ratio, row in found.items():
        low, middle, high = row["difference"]
        over = row["package_tokens_over_budget"]
        span = f"{middle:+.3f} ({low:+.3f} to {high:+.3f})"
        rows.append([f"{ratio}x", row["questions"], row["ours"], row["package"], span, f"{over:.2f} times"])
    return _table(head, rows)


def _positions(found: dict[str, dict[str, float]]) -> list[str]:
    places = list(next(iter(found.values()), {}))
    rows = [[name, *(row[place] for place in places)] for name, row in found.items()]
    return _table(["answer contains the gold one, gold passage at", *places], rows)


def _table(head: list[str], rows: list[list[Any]]) -> list[str]:
    if not rows:
        return []
    rule = "|---" + "|--:" * (len(head) - 1) + "|"
    return ["", f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(map(cell, row))} |" for row in rows)]


def cell(value: object) -> str:
    """A figure as a table shows it."""
    if isinstance(value, float):
        return f"{value:.5f}" if 0 < abs(value) < 1e-3 else f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
