"""From a ranking to a context: neighbouring chunks become one span, what is left out is named."""

from __future__ import annotations

from collections.abc import Sequence

from ragctx.corpus import Corpus
from ragctx.retrievers.ranking import Ranking
from ragctx.types import Context, Dropped, Span

# Chunks just below the limit that are named as left out; naming all of a large corpus would help nobody.
NAMED = 10


def context(corpus: Corpus, ranking: Ranking, limit: int, *, merge: bool = True) -> Context:
    """The best `limit` chunks as passages, best first; a passage stands where its best chunk stood.

    Args:
        corpus: what was ranked.
        ranking: may hold more than `limit` chunks; the next ones, ten at most, are named as dropped.
        limit: the most chunks, not passages.
        merge: join chunks that follow each other in a document, with the white space between them, into one span.
    """
    chosen = [int(chunk) for chunk in ranking.chunks[:limit]]
    scores = {chunk: float(score) for chunk, score in zip(chosen, ranking.scores, strict=False)}
    spans = {chunk: corpus.chunks[chunk] for chunk in chosen}
    runs = _runs(spans) if merge else [[chunk] for chunk in chosen]
    place = {chunk: number for number, chunk in enumerate(chosen)}
    runs.sort(key=lambda run: min(place[chunk] for chunk in run))
    passages = tuple(
        corpus.passage(_whole([spans[chunk] for chunk in run]), score=max(scores[chunk] for chunk in run))
        for run in runs
    )
    left = ranking.chunks[limit : limit + NAMED]
    dropped = tuple(
        Dropped(corpus.chunks[int(chunk)], f"rank {rank} of at most {limit}")
        for rank, chunk in enumerate(left, start=limit + 1)
    )
    return Context(passages, dropped, ranking.notes, ranking.signals)


def _runs(spans: dict[int, Span]) -> list[list[int]]:
    """Chunk numbers in runs of neighbours of one document."""
    runs: list[list[int]] = []
    for chunk in sorted(spans):
        follows = runs and runs[-1][-1] == chunk - 1 and spans[chunk - 1].document == spans[chunk].document
        if follows:
            runs[-1].append(chunk)
        else:
            runs.append([chunk])
    return runs


def _whole(spans: Sequence[Span]) -> Span:
    return Span(spans[0].document, spans[0].start, max(span.end for span in spans))
