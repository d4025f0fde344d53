"""Clustered RAG as a way of reading: summaries of like passages, made once for a corpus, answer every question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ragctx.contracts import Compressor, Retriever
from ragctx.strategies.reranking import Reranking
from ragctx.strategies.retrieve import Retrieve


@dataclass(frozen=True, slots=True)
class ClusteredReading(Retrieve):
    """Sum up like passages once for a corpus, and answer every question from the summaries.

    `retrieve` over the retriever `clustered`, with nothing between: the CRAG of Akesson and Santos (arXiv 2406.00029).
    Corrective RAG, which some call by the same letters, is `retrieve` over the retriever `corrective`.

    Attributes:
        retriever: a `Clustered` with figures of one's own, or its name.
        rerank, prune: off, since a summary stands for many passages. The others are those of `retrieve`.

    Example:
        >>> from ragctx.registry import meant
        >>> meant("strategies", "crag")[0], ClusteredReading().retriever
        ('clustered', 'clustered')
    """

    name: ClassVar[str] = "clustered"

    retriever: str | Retriever = "clustered"
    rerank: bool | Reranking = False
    prune: str | Compressor | None = None
