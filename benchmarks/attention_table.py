"""Markdown tables of the attention benchmark's stored figures, for `table.py`."""

from __future__ import annotations

from typing import Any

# figure, what it is, what was asked of it
ROWS = [
    ("dense_8k_vs_vllm", "dense attention at 8K, times vLLM's speed", "at least 1.8"),
    ("dense_128k_vs_vllm", "at 128K", "at least 1.4"),
    (
        "sparse_32k_width_64_vs_vllm",
        "density 0.12 at 32K with selection, heads of 64, times its dense",
        "at least 10",
    ),
    ("sparse_32k_width_128_vs_vllm", "heads of 128", "at least 10"),
    ("sparse_128k_vs_vllm", "density 0.03 at 128K with selection", "at least 30"),
    ("sparse_128k_kernel_vs_vllm", "the kernel alone", "at least 40"),
    ("sparse_128k_whole_vs_vllm", "with selection, one run over every chunk", ""),
    ("sparse_128k_whole_kernel_vs_vllm", "the kernel alone, one run over every chunk", ""),
    ("max_error_f32", "largest error against float64, float32", "1e-5"),
    ("max_error_bf16", "bfloat16", "1e-2"),
    ("ttft_16k_share_of_ceiling", "density 0.12 in vLLM at 16K, share of the ceiling", "at least 0.90"),
    ("ttft_32k_share_of_ceiling", "at 32K", "at least 0.90"),
    ("auto_16k_speedup", "policy `auto` at 16K, times faster to the first token", "at least 1.8"),
    ("policy_quality_gap", "points that `auto` answers below dense attention", "at most 2"),
    ("quality_pairs", "answers compared", "at least 200"),
    ("kept_mass_p5", "attention mass that `auto` keeps, 5th percentile of rows", "at least 0.95"),
    ("dual_16k_share", "dual chunks at 16K, of the model's own score at 7K", "at least 0.8"),
    ("dual_32k_share", "at 32K", "at least 0.8"),
]


def lines(result: dict[str, Any]) -> list[str]:
    """When each part was taken; the figures; the kernels' times; `auto` by length; quality; positions."""
    told = [f"`{name}` on {part['date']}: `{part['command']}`." for name, part in result.get("parts", {}).items()]
    figures = [[what, result[name], asked] for name, what, asked in ROWS if result.get(name) is not None]
    told += _table(["figure", "measured", "asked"], figures)
    told += _kernels(result.get("kernel_rows") or {})
    told += _prefill(result.get("auto_by_length") or {})
    told += _gaps(result.get("quality_gaps") or {}, result.get("kept_mass") or {})
    return told + _positions(result.get("positions_by_length") or {})


def _kernels(rows: dict[str, Any]) -> list[str]:
    table = []
    for name, row in rows.items():
        for way, times in row["vs_vllm"].items():
            own = row["vs_own_dense"].get(way, {}).get("median", "")
            span = f"{times['least']:g} to {times['most']:g}"
            table.append([f"{name}, {way}", row["densities"].get("prompt", 1.0), times["median"], span, own])
    head = ["kernel", "density", "times vLLM's dense", "rounds from, to", "times our dense"]
    return _table(head, table)


def _prefill(by_length: dict[str, Any]) -> list[str]:
    names = ("auto_density", "auto_speedup", "fixed_speedup", "ceiling")
    rows = [[f"{int(length):,}", *(row[name] for name in names)] for length, row in by_length.items()]
    return _table(["tokens", "`auto`: density", "times faster", "density 0.12: times faster", "ceiling"], rows)


def _gaps(gaps: dict[str, Any], masses: dict[str, Any]) -> list[str]:
    rows = []
    for name, row in gaps.items():
        if row:
            low, high = row["interval"]
            mass = masses.get(name, {})
            rows.append([name, row["pairs"], f"{row['gap']:+.1f} ({low:+.1f} to {high:+.1f})", mass.get("p5", "")])
    return _table(["policy", "answers", "points below dense (95 %)", "mass kept, 5th percentile"], rows)


def _positions(table: dict[str, dict[str, float]]) -> list[str]:
    lengths = sorted({length for row in table.values() for length in row}, key=int)
    rows = [[way, *(row.get(length) for length in lengths)] for way, row in table.items()]
    return _table(["single needle, positions", *(f"{int(length):,}" for length in lengths)], rows)


def _table(head: list[str], rows: list[list[Any]]) -> list[str]:
    if not rows:
        return []
    rule = "|---" + "|--:" * (len(head) - 1) + "|"
    return ["", f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(map(cell, row))} |" for row in rows)]


def cell(value: object) -> str:
    """A figure as a table shows it."""
    if isinstance(value, float):
        return f"{value:.1e}" if 0 < abs(value) < 1e-3 else f"{value:.4g}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
