"""Markdown tables of the reading model's stored figures."""

from __future__ import annotations

from typing import Any

# figure, what it is, what was asked of it
ROWS = [
    ("reader_f1", "F1 on gold passages of unseen articles", "at least 0.68"),
    ("reader_em", "exact match on the same", "at least 0.54"),
    ("left_out_f1", "F1 on a set whose whole source was left out of training", "at least 0.62"),
    ("null_auc", "answers of gold passages likelier than of hard rivals (AUC), mean of sets", "at least 0.95"),
    ("kept_at_20", "answer kept in 20 % of the words of five passages, mean of sets", "at least 0.95"),
    ("kept_at_10", "in 10 %", "at least 0.90"),
    ("passages_per_s_128", "passages of 128 tokens a second, two threads", "at least 200"),
    ("passages_per_s_256", "of 256 tokens", "at least 80"),
    ("model_mb", "the file, MB", "at most 25"),
    ("int8_f1_loss", "F1 lost by int8", "at most 0.01"),
    ("first_answer_s", "`ragctx ask` from process start, indexed, seconds", "under 1.5"),
    ("holdout_right", "holdout: facts right", "at least 0.70"),
    ("holdout_declined", "holdout: unanswerable declined", "at least 0.70"),
    ("holdout_facts_declined", "holdout: facts declined", "at most 0.15"),
]
RANKED = {
    "model": "model",
    "bm25": "BM25",
    "cosine": "cosine",
    "with_bm25": "model + BM25",
    "with_cosine": "model + cosine",
    "retrieve": "as `retrieve` fuses",
}
BASELINES = ("cosine", "bm25", "dslr")


def lines(result: dict[str, Any]) -> list[str]:
    """The figures; answers kept and ranks by set; the language model on pruned context; arms side by side."""
    few = f", at most {result['asked_of_each_set']} questions of each set" if result.get("asked_of_each_set") else ""
    told = [f"Taken on {result['date']}: `{result['command']}`{few}."]
    told += ["", "| figure | measured | asked |", "|---|--:|---|"]
    told += [f"| {what} | {_cell(result[name])} | {asked} |" for name, what, asked in ROWS if name in result]
    for percent in (20, 10):
        told += _kept(result, percent)
    told += _ranks(result.get("rerank_mrr_by_set") or {})
    told += _recall(result.get("embedding_recall") or {})
    return told + _downstream(result.get("downstream") or {}) + _arms(result.get("side_by_side") or [])


def _kept(result: dict[str, Any], percent: int) -> list[str]:
    ours = result.get(f"kept_at_{percent}_by_set") or {}
    others = result.get(f"baseline_kept_at_{percent}_by_set") or {}
    rows = [[name, value, *(others.get(way, {}).get(name) for way in BASELINES)] for name, value in ours.items()]
    return _table([f"answer kept in {percent} %", "model", "cosine", "BM25", "DSLR style"], rows)


def _ranks(by_set: dict[str, Any]) -> list[str]:
    ways = [way for way in RANKED if all(way in row for row in by_set.values())]
    rows = [[name, row["questions"], *(row[way] for way in ways)] for name, row in by_set.items()]
    return _table(["MRR of 1 in 20", "questions", *(RANKED[way] for way in ways)], rows)


def _recall(by_set: dict[str, Any]) -> list[str]:
    rows = [[name, row["ours"], row["minilm"]] for name, row in by_set.items()]
    return _table(["recall@10 of the embedding", "ours", "all-MiniLM-L6-v2"], rows)


def _downstream(row: dict[str, Any]) -> list[str]:
    rows = [
        [way, row[f"{way}_f1"], row[f"{way}_tokens"], row[f"{way}_passage_tokens"], row[f"{way}_s"]]
        for way in ("whole", "pruned")
        if row
    ]
    return _table(["five passages", "F1", "prompt tokens", "of them passages", "seconds"], rows)


def _arms(arms: list[dict[str, Any]]) -> list[str]:
    rows = [
        [arm[name] for name in ("strategy", "reader", "questions", "f1", "em", "declined", "seconds")] for arm in arms
    ]
    head = ["strategy", "language model", "questions", "F1", "exact match", "declined", "seconds a question"]
    return _table(head, rows)


def _table(head: list[str], rows: list[list[Any]]) -> list[str]:
    if not rows:
        return []
    rule = "|---" + "|--:" * (len(head) - 1) + "|"
    return ["", f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(map(_cell, row))} |" for row in rows)]


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:,}"
    return "" if value is None else str(value)
