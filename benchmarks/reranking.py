"""Mean reciprocal rank of the gold passage among its 19 hardest rivals: model, BM25, cosine, and fusions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from testset import Words
from weighers import Cosine, Weigh

from ragctx.compressors.ranks import fused
from ragctx.work import Rerank
from training.reader.examples import Example

RIVALS = 19


def reciprocal(scores: Sequence[float], gold: int = 0) -> float:
    """1 over the gold one's rank; of equals it is taken for the middle one."""
    values = np.asarray(scores)
    above, equal = int((values > values[gold]).sum()), int((values == values[gold]).sum()) - 1
    return 1 / (1 + above + equal / 2)


def standard(scores: Sequence[float]) -> np.ndarray:
    """Scores of one question with mean 0 and deviation 1."""
    values = np.asarray(scores, float)
    spread: np.ndarray = (values - values.mean()) / (values.std() or 1.0)
    return spread


def measure(examples: Sequence[Example], words: Words, weigh: Weigh, cosine: Cosine) -> dict[str, float]:
    """Of one set; `with_bm25` is the fusion of the shipped compressor, `with_cosine` adds standardised scores."""
    ranks: dict[str, list[float]] = {}
    used = [example for example in examples if len(example.negatives) >= min(4, RIVALS)]
    for example in used:
        passages = [example.passage, *example.negatives[:RIVALS]]
        texts = [passage.text for passage in passages]
        titles = tuple(passage.title for passage in passages)
        model = np.array(weigh(Rerank(example.question, tuple(texts), titles=titles)).values)
        lexical = [words.score(example.question, f"{p.title} {p.text}") for p in passages]
        likeness = cosine.score(example.question, texts)
        logits = np.log(np.clip(model, 1e-6, 1 - 1e-6) / (1 - np.clip(model, 1e-6, 1 - 1e-6)))
        order = [int(i) for i in np.argsort([-score for score in lexical], kind="stable")]
        together = [order[place] for place in fused([float(model[i]) for i in order])]
        rows = {
            "model": logits,
            "bm25": lexical,
            "cosine": likeness,
            "with_bm25": [-together.index(i) for i in range(len(passages))],
            "with_cosine": standard(logits) + standard(likeness),
        }
        for name, scores in rows.items():
            ranks.setdefault(name, []).append(reciprocal(scores))
    told = {name: round(float(np.mean(each)), 4) for name, each in ranks.items()}
    return told | {"questions": len(used)}
