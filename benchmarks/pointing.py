"""How well the model reads: the answer on the gold passage, and no answer on a passage that looks alike."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from testset import answered

from ragctx.encoders import open_ranker
from ragctx.evaluation.metrics import exact_match, token_f1
from ragctx.work import Relevances, Rerank, Stretch, raised
from training.reader.examples import Example, Passage
from training.reader.scores import auc


def points(backend: Any, example: Example, passage: Passage) -> tuple[str, float, float]:
    """The likeliest answer in one passage, its probability, and the passage's relevance."""
    request = Rerank(example.question, (passage.text,), titles=(passage.title,), answers=1)
    [reply] = backend.serve([request], lambda *_: None)
    said = raised(reply)
    assert isinstance(said, Relevances)
    best: Stretch | None = next(iter(said.answers[0]), None)
    if best is None:
        return "", 0.0, said.values[0]
    return passage.text[best.start : best.end], best.probability, said.values[0]


def reading(backend: Any, examples: Sequence[Example]) -> dict[str, float]:
    """F1 and exact match on gold passages, in shares of 1."""
    asked = [example for example in examples if example.answers]
    said = [(points(backend, example, example.passage)[0], answered(example)) for example in asked]
    return {
        "f1": round(float(np.mean([token_f1(text, gold) for text, gold in said])), 4),
        "em": round(float(np.mean([exact_match(text, gold) for text, gold in said])), 4),
        "questions": len(asked),
    }


def null_auc(backend: Any, examples: Sequence[Example]) -> float | None:
    """The chance that the best answer of a gold passage is likelier than that of the question's hardest rival."""
    asked = [example for example in examples if example.answers and example.negatives]
    if not asked:
        return None
    gold = [points(backend, example, example.passage)[1] for example in asked]
    rival = [points(backend, example, example.negatives[0])[1] for example in asked]
    return round(auc(gold, rival), 4)


def full_precision(file: Path, packaged: Path, folder: Path, threads: int) -> Any:
    """The model as it was before quantisation: its weights, with the packaged tokenizer and calibration.

    Args:
        file: the full model's ONNX file.
        packaged: folder of the packaged weights.
        folder: an empty one for the copy.
        threads: of the model.
    """
    card = json.loads((packaged / "card.json").read_text(encoding="utf-8"))
    card["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    shutil.copy(packaged / "tokenizer.json", folder)
    shutil.copy(file, folder / "reader.onnx")
    return open_ranker(f"extractive:{folder}", threads=threads)
