"""Recall@10 of gold spans for BM25, dense and hybrid retrieval, on sets in the data folder's format.

A gold span counts as found when the ten chunks together hold at least half of its characters; recall is the mean over
questions of the share of their gold spans found. All questions of a set are asked over all documents of that set.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ragctx import Corpus, registry
from ragctx.encoders import open_encoder
from ragctx.engine import Engine, Job
from ragctx.evaluation.datasets import examples
from ragctx.types import Span

SETS = ["chunking_evaluation", "covidqa", "multihop_hotpot_2wiki_musique"]
RETRIEVERS = ["bm25", "dense", "hybrid"]


def found(gold: tuple[Span, ...], kept: tuple[Span, ...]) -> float:
    """Share of gold spans of which at least half is in what was kept."""
    hits = [2 * sum(span.overlap(k) for k in kept) >= len(span) for span in gold]
    return sum(hits) / len(hits)


def measure_set(
    folder: Path,
    questions: int | None,
    seed: int = 0,
    encoder: str = "sentence-transformers:all-minilm-l6-v2",
    retrievers: Sequence[str] = RETRIEVERS,
) -> dict[str, object]:
    asked = [example for example in examples(folder) if example.gold]
    if questions and len(asked) > questions:
        asked = random.Random(seed).sample(asked, questions)
    documents = {document.id: document for example in asked for document in example.documents}
    with (
        tempfile.TemporaryDirectory() as scratch,
        Engine({"encoder": open_encoder(encoder)}) as engine,
    ):
        corpus = Corpus.over(*documents.values(), folder=Path(scratch))
        result: dict[str, object] = {"questions": len(asked), "chunks": len(corpus.chunks)}
        for name in retrievers:
            retriever = registry.make("retrievers", name)
            engine.run(Job("prepare", lambda r=retriever: r.prepare(corpus, engine.models))).result()
            jobs = (
                Job(str(i), lambda e=e, r=retriever: r.retrieve(e.question, corpus, 10, engine.models))
                for i, e in enumerate(asked)
            )
            contexts = {outcome.key: outcome.result() for outcome in engine.map(jobs)}
            scores = [found(e.gold, contexts[str(i)].spans) for i, e in enumerate(asked)]
            result[name] = round(float(np.mean(scores)), 4)
    return result


def measure(data: Path, questions: int | None = None) -> dict[str, dict[str, object]]:
    """Every set, every retriever."""
    return {name: measure_set(data / name, questions) for name in SETS if (data / name).is_dir()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--questions", type=int, help="sample so many questions of each set")
    options = parser.parse_args()
    print(json.dumps(measure(options.data, options.questions), indent=2))
