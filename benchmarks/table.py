"""Writes the stored figures into `benchmarks/README.md`: `python benchmarks/table.py`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import attention_table
import compression_table
import pruning_table
import reading_table
import routing_table

HERE = Path(__file__).parent

# figure, what it is, what was asked of it
ROWS = [
    ("import_s", "`import ragctx`, seconds", "under 0.2, no torch"),
    ("help_s", "`ragctx --help`, seconds", "under 0.7"),
    ("core_packages", "packages of the core install", "at most 50, no torch"),
    ("engine_ms_per_request", "engine overhead, milliseconds a request", "under 1"),
    ("engine_memory_growth_mb", "memory growth over 10,000 questions, MB", "flat"),
    ("prefix_reuse_ratio", "throughput with the prefix reused, times", "at least 5"),
    ("prefix_from_scratch", "of ten questions, asked from scratch (scaled to ten)", ""),
    ("prefix_identical", "same texts as from scratch", "identical"),
    ("index_vs_encoder", "indexing speed over the raw encoder's", "at least 0.9"),
    ("index_mb_per_s", "indexing, MB a second", ""),
    ("encoder_mb_per_s", "the raw encoder, MB a second", ""),
    ("reindex_s", "second run with nothing changed, seconds", "under 2"),
    ("gigabyte_peak_mb", "peak memory over 1 GB of text, MB", "under 2,000"),
    ("gigabyte_index_s", "indexing 1 GB (BM25), seconds", ""),
    ("gigabyte_ask_s", "asking over 1 GB, seconds a question", ""),
    ("kills", "kills", "100"),
    ("while_writing", "of them while rows were being written", "at least 80"),
    ("lost", "answers lost", "0"),
    ("doubled", "answers doubled", "0"),
    ("corrupt", "stores corrupt", "0"),
    ("billed_twice", "calls billed twice", "at most those in flight"),
    ("in_flight_bound", "calls in flight at the kills", ""),
]


def lines(result: dict[str, object]) -> list[str]:
    """Two Markdown tables: the figures, and recall by set and retriever."""
    told = [f"Taken on {result['date']}: `{result['command']}`.", "", "| figure | measured | asked |", "|---|--:|---|"]
    told += [f"| {what} | {_cell(result[name])} | {asked} |" for name, what, asked in ROWS if name in result]
    told += ["", "| recall@10 | questions | chunks | BM25 | dense | hybrid |", "|---|--:|--:|--:|--:|--:|"]
    recall = result.get("recall") or {}
    assert isinstance(recall, dict)
    for name, row in recall.items():
        scores = [f"{row[retriever]:.3f}" for retriever in ("bm25", "dense", "hybrid")]
        told.append(f"| {name} | {row['questions']} | {row['chunks']:,} | {' | '.join(scores)} |")
    return told


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


TABLES: dict[str, Callable[[dict[str, object]], list[str]]] = {
    "core": lines,
    "pruning": pruning_table.lines,
    "reading": reading_table.lines,
    "compression": compression_table.lines,
    "attention": attention_table.lines,
    "routing": routing_table.lines,
}


def main() -> None:
    page = HERE / "README.md"
    for name, told in TABLES.items():
        stored = HERE / "results" / f"{name}.json"
        if stored.exists():
            page.write_text(placed(page.read_text(), name, told(json.loads(stored.read_text()))))


def placed(text: str, name: str, told: list[str]) -> str:
    """The page with new lines between the marks of a table."""
    mark = f"<!-- {name}-table -->"
    body = "\n".join([mark, "", *told, "", "<!-- end -->"])
    return re.sub(rf"{mark}(.*?<!-- end -->)?", lambda _: body, text, count=1, flags=re.DOTALL)


if __name__ == "__main__":
    main()
