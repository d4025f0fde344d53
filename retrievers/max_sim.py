"""From chunks to documents: a document is as near to a question as its nearest chunk."""

from __future__ import annotations

import numpy as np


def best_documents(
    chunks: np.ndarray, scores: np.ndarray, documents: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """The best chunks of every document, the best document's first, each with its document's score.

    Of equal documents, and of equal chunks, the earlier comes first.

    Args:
        chunks: chunk numbers, shape (n,).
        scores: one for each.
        documents: number of the document that each lies in.
        most: chunks that are taken of one document.

    Example:
        >>> chunks, scores = best_documents(np.arange(4), np.array([0.1, 0.5, 0.9, 0.2]), np.array([0, 0, 1, 0]), 2)
        >>> chunks.tolist(), scores.tolist()
        ([2, 1, 3], [0.9, 0.5, 0.5])
    """
    order = np.lexsort((chunks, -scores, documents))
    chunks, scores, documents = chunks[order], scores[order], documents[order]
    _, first, group = np.unique(documents, return_index=True, return_inverse=True)
    taken = np.flatnonzero(np.arange(len(chunks)) - first[group] < most)
    nearest = scores[first[group[taken]]]
    # Stable, so that a document's chunks stay side by side and in order.
    by_document = np.argsort(-nearest, kind="stable")
    return chunks[taken[by_document]], nearest[by_document]
