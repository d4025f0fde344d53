"""Chunks in order of score, and what the shape of the scores says about the question."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

# How many of the best chunks the signals look at.
HEAD = 10
NONE_ADMITTED = "the question's filter admits no text of these documents"


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The best chunks for a question.

    Attributes:
        chunks: chunk numbers, best first. scores: one each, not rising.
        signals: named numbers for the router. notes: what a person should know of.
    """

    chunks: np.ndarray
    scores: np.ndarray
    signals: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def none(cls, *notes: str) -> Ranking:
        """No chunk, and why."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.float32), {}, notes)

    def __len__(self) -> int:
        return len(self.chunks)


def best(scores: np.ndarray, admitted: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The `count` best admitted chunks and their scores; of equal ones the earlier chunk comes first.

    Args:
        scores: one for each chunk, shape (chunks,).
        admitted: which chunks may be taken, bool, shape (chunks,).
        count: the most chunks.

    Example:
        >>> best(np.array([1.0, 3.0, 3.0, 9.0]), np.array([True, True, True, False]), 2)[0].tolist()
        [1, 2]
    """
    held = np.flatnonzero(admitted)
    values = scores[held]
    if 0 < count < len(held):
        least = np.partition(values, len(held) - count)[len(held) - count]
        held = held[values >= least]
        values = scores[held]
    order = np.lexsort((held, -values))[:count]
    return held[order], values[order]


def shape(name: str, scores: np.ndarray, documents: np.ndarray) -> dict[str, float]:
    """Numbers between 0 and 1 about the head of a ranking.

    `gap`: how far the second stands below the first, as a share of the first. `entropy`: 0 when one chunk has all the
    score of the head, 1 when every chunk has the same. `spread`: different documents a chunk of the head.

    Args:
        name: put before each number's own name.
        scores: of the head, best first, above zero.
        documents: each chunk's document.

    Example:
        >>> shape("bm25", np.array([4.0, 1.0]), np.array([0, 0]))["bm25_gap"]
        0.75
    """
    head = np.maximum(scores[:HEAD].astype(np.float64), 1e-12)
    shares = head / head.sum()
    entropy = -float((shares * np.log(shares)).sum()) / math.log(len(head)) if len(head) > 1 else 0.0
    return {
        f"{name}_gap": float((head[0] - head[1]) / head[0]) if len(head) > 1 else 1.0,
        f"{name}_entropy": min(1.0, max(0.0, entropy)),
        f"{name}_spread": len(np.unique(documents[:HEAD])) / len(head),
    }
