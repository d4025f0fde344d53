"""Mean reciprocal rank of the gold passage among its 19 hardest rivals: model, BM25, cosine, and fusions.

`retrieve` is the fusion that the strategy ships; the other two show what else could be had of the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from testset import Words
from weighers import Cosine, Weigh

from ragctx.compressors.ranks import fused
from ragctx.retrievers.fusion import fuse
from ragctx.retrievers.hybrid import Hybrid
from ragctx.strategies.reranking import Reranking
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


def placed(scores: Sequence[float], texts: Sequence[str]) -> np.ndarray:
    """Numbers of texts, the highest score first; equals by their texts, so that none stands first for being gold."""
    return np.array(sorted(range(len(texts)), key=lambda i: (-scores[i], texts[i])), np.int64)


def shipped(model: Sequence[float], lexical: np.ndarray, dense: np.ndarray) -> list[float]:
    """The scores by which `retrieve` sorts: the model's added to those of hybrid retrieval, as it fuses them.

    Args:
        model: how likely each passage answers.
        lexical: the passages' numbers as BM25 ranks them.
        dense: the same as embeddings do.
    """
    found = Hybrid()
    order, told = fuse([lexical, dense], [found.bm25, found.dense], found.k)
    scores = dict(zip(order.tolist(), Reranking().scores([model[i] for i in order], told.tolist()), strict=True))
    return [scores[i] for i in range(len(model))]


def measure(examples: Sequence[Example], words: Words, weigh: Weigh, cosine: Cosine) -> dict[str, float]:
    """Of one set; `with_bm25` is the compressor's fusion, `with_cosine` adds standardised scores; see `shipped`."""
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
        order = placed(lexical, texts)
        together = [int(order[place]) for place in fused([float(model[i]) for i in order])]
        rows = {
            "model": logits,
            "bm25": lexical,
            "cosine": likeness,
            "with_bm25": [-together.index(i) for i in range(len(passages))],
            "with_cosine": standard(logits) + standard(likeness),
            "retrieve": shipped(model.tolist(), order, placed(likeness, texts)),
        }
        for name, scores in rows.items():
            ranks.setdefault(name, []).append(reciprocal(scores))
    told = {name: round(float(np.mean(each)), 4) for name, each in ranks.items()}
    return told | {"questions": len(used)}
