"""Questions with published scores of many readers, and the signals that the product sees; kept in a file as they come.

A score is the share of the gold answer's words that are said; of a question that cannot be answered, whether the answer
declines. Indexing long documents is what takes time, so a run that was stopped goes on from the file.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragctx import registry
from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.models import ModelFacts, Models
from ragctx.routing import Policy
from ragctx.routing.fitting import Outcome
from ragctx.routing.signals import signals
from ragctx.routing.wording import wording
from ragctx.types import Question
from ragctx.work import run

WINDOW = 131_072
RETRIEVED = 3_000
"""Tokens that the released runs retrieved."""
ARMS = {"full": "full", "retrieve": "rag"}
"""The product's strategy, and the name of its column in the data."""


@dataclass(frozen=True, slots=True)
class Row:
    """One question read by one reader."""

    outcome: Outcome
    length: str
    domain: str
    tokens: float
    routing_ms: float
    lookup_ms: float


def rows(data: Path, kept: Path) -> list[Row]:
    """Every reader's two scores of every question that was answered both ways."""
    asked = [json.loads(line) for line in (data / "normalized.jsonl").read_text("utf-8").splitlines()]
    seen, by_id = _seen(data, asked, kept), {one["id"]: one for one in asked}
    for one in asked:  # free, and so not worth keeping; each question's once for all readers
        seen[one["id"]]["signals"] |= wording(one["question"])
    labels = map(json.loads, (data / "routing_labels_lexical.jsonl").read_text("utf-8").splitlines())
    return [_row(by_id[one["id"]], one, seen[one["id"]]) for one in labels if one["full"] and one["rag"]]


def _seen(data: Path, asked: Sequence[dict[str, Any]], kept: Path) -> dict[str, dict[str, Any]]:
    known = [json.loads(line) for line in kept.read_text("utf-8").splitlines()] if kept.exists() else []
    seen = {one["id"]: one for one in known}
    for path in sorted({one["document_path"] for one in asked if one["id"] not in seen}):
        with tempfile.TemporaryDirectory() as folder, kept.open("a", encoding="utf-8") as file:
            new = _signals(
                Corpus.over(data / path, folder=Path(folder)), [o for o in asked if o["document_path"] == path]
            )
            file.writelines(json.dumps(one) + "\n" for one in new)
        seen |= {one["id"]: one for one in new}
    return seen


def _signals(corpus: Corpus, asked: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Signals of every question about one document; the look-up that retrieving does anyway is timed by itself."""
    models, policy = Models({"reader": ModelFacts("reader", window=WINDOW)}), Policy.load()
    retriever: Retriever = registry.make("retrievers", "bm25")
    run(retriever.prepare(corpus, models))
    corpus.tokens(models.reader)
    made = []
    for one in asked:
        question = Question(one["question"], id=one["id"])
        start = time.perf_counter()
        run(retriever.retrieve(question, corpus, 10, models))
        middle = time.perf_counter()
        told = signals(question, corpus, models, policy)
        wording(question.text)
        end = time.perf_counter()
        made.append(
            {"id": one["id"], "signals": told, "all_ms": (end - middle) * 1e3, "lookup_ms": (middle - start) * 1e3}
        )
    return made


def _row(one: dict[str, Any], label: dict[str, Any], seen: dict[str, Any]) -> Row:
    scores = {
        arm: label[key]["recall"] if one["answerable"] else float(label[key]["refused"]) for arm, key in ARMS.items()
    }
    told: dict[str, float] = seen["signals"]
    outcome = Outcome(one["id"], one["task"], label["model"], told, scores, one["group"])
    spent = seen["all_ms"] - seen["lookup_ms"]
    return Row(outcome, one["length_band"], one["domain"], told["document_tokens"], spent, seen["lookup_ms"])
