"""Markdown tables of what the router gains over one strategy for everything."""

from __future__ import annotations

from typing import Any

ROWS = [
    ("lara_32k_gain", "32k: points over the better pure strategy", "at least 1.5"),
    ("lara_32k_token_share", "32k: share of the tokens of reading everything", "at most 0.60"),
    ("lara_32k_cheap_gain", "32k, few tokens: points over the better pure strategy", "at least 0"),
    ("lara_32k_cheap_token_share", "32k, few tokens: share of tokens", "at most 0.35"),
    ("lara_128k_gain", "128k: points over the better pure strategy", "at least 2"),
    ("lara_128k_token_share", "128k: share of tokens", "at most 0.40"),
    ("oracle_gap_closed", "share of the gap to the best strategy of each row, both lengths", "at least 0.20"),
    ("unseen_domain_gain", "a domain never seen: points over the better pure strategy", "above 0"),
    ("unseen_domain_token_share", "a domain never seen: share of tokens", "at most 0.50"),
    ("type_accuracy", "kinds told right, documents never seen", ""),
    ("unseen_domain_type_accuracy", "kinds told right, a domain never seen", ""),
    ("calibration_error", "expected calibration error of predicted scores", "at most 0.05"),
    ("unseen_domain_calibration_error", "the same, a domain never seen", ""),
    ("routing_ms", "routing beyond the look-up, milliseconds a question", "at most 5"),
    ("lookup_ms", "the BM25 look-up, which retrieving does anyway, milliseconds", ""),
    ("plan_error_median", "planned against billed tokens, median", "at most 0.10"),
    ("plan_error_corrected", "the same, corrected by what plans were off before", ""),
    ("plan_bounds_held", "billed tokens within the planned bounds", "at least 0.90"),
    ("matrix_questions", "our own runs: questions", "at least 600"),
    ("matrix_sets", "data sets", "at least 8"),
    ("matrix_calibration_error", "expected calibration error on them", "at most 0.05"),
]
NAMED = {"32k": "32k", "cheap_32k": "32k, few tokens", "128k": "128k", "cheap_128k": "128k, few tokens"} | {
    "unseen_domain_32k": "32k, a domain never seen",
    "unseen_domain_128k": "128k, a domain never seen",
    "unseen_domain": "both lengths, a domain never seen",
}


def lines(result: dict[str, Any]) -> list[str]:
    """The figures; gains with intervals; the data's own figures."""
    told = [f"Taken on {result['date']}: `{result['command']}`; {result['machine']}.", ""]
    told += ["| figure | measured | asked |", "|---|--:|---|"]
    told += [f"| {what} | {_cell(result[name])} | {asked} |" for name, what, asked in ROWS if name in result]
    told += ["", "| gain over the better pure strategy, points | measured | 95 % | of at most | tokens |"]
    told += ["|---|--:|--:|--:|--:|"]
    intervals = result.get("intervals") or {}
    told += [
        f"| {what} | {one['gain']:+.2f} | {one['low']:+.2f} to {one['high']:+.2f} | {one['room']:.2f} | "
        f"{100 * one['token_share']:.0f} % |"
        for name, what in NAMED.items()
        if (one := intervals.get(name))
    ]
    told += [
        "",
        "| score, every label known | everything | retrieved | best by kind | by kind and reader | best of each |",
    ]
    told += ["|---|--:|--:|--:|--:|--:|"]
    keys = ("full", "retrieve", "kind", "kind_reader", "oracle")
    for length, one in (result.get("proxy") or {}).items():
        told.append(f"| {length} | " + " | ".join(f"{one[key]:.3f}" for key in keys) + " |")
    return told + _matrix(result)


def _matrix(result: dict[str, Any]) -> list[str]:
    """Our own runs: every way, and the router that costs no more than it."""
    ways, against = result.get("matrix_ways") or {}, result.get("matrix_against") or {}
    if not ways:
        return []
    told = ["", "| our own runs | score | tokens | router at no more | its tokens | points | 95 % |"]
    told += ["|---|--:|--:|---|--:|--:|--:|"]
    for name, one in against.items():
        score, tokens = ways[name]
        told.append(f"| {name} | {score:.3f} | {tokens:,} | {_router(one)} |")
    area = result["matrix_aiq"]
    told += [
        "",
        f"Mean height of the cost-quality hull (AIQ): the router {area['router']:.3f}, mixtures of strategies drawn by",
        f"chance {area['chance']:.3f}; the best strategy of each question, known afterwards, "
        f"{result['matrix_oracle']:.3f}.",
    ]
    return [*told, f"`ragctx calibrate` on these runs: {result['matrix_verdict']}."]


def _router(one: dict[str, Any] | None) -> str:
    if one is None:
        return "none | | |"
    gain = f"{one['gain']:+.1f} | {one['low']:+.1f} to {one['high']:+.1f}"
    return f"{one['router']} | {100 * one['tokens']:.0f} % | {gain}"


def _cell(value: object) -> str:
    return "not measured" if value is None else f"{value:,}"
