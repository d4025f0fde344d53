"""Reciprocal rank fusion: one ranking from several, by places and not by scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def fuse(rankings: Sequence[np.ndarray], weights: Sequence[float], k: float = 60.0) -> tuple[np.ndarray, np.ndarray]:
    """Chunks of all rankings by the sum of `weight / (k + place)`, best first, with that sum.

    Scores of BM25 and cosines have no common scale; places do. Of chunks with equal sums the one that stood higher in
    an earlier ranking comes first.

    Source: Cormack, Clarke and Buettcher, SIGIR 2009.

    Args:
        rankings: chunk numbers, best first.
        weights: one for each ranking.
        k: how little the first places stand out; 60 in the paper.

    Example:
        >>> fuse([np.array([7, 3]), np.array([3, 9])], [1.0, 1.0])[0].tolist()
        [3, 7, 9]
    """
    chunks, first = np.unique(np.concatenate([np.zeros(0, np.int64), *rankings]), return_index=True)
    sums = np.zeros(len(chunks))
    for ranking, weight in zip(rankings, weights, strict=True):
        sums[np.searchsorted(chunks, ranking)] += weight / (k + 1 + np.arange(len(ranking)))
    order = np.lexsort((first, -sums))
    return chunks[order], sums[order]
