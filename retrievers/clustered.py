"""Clustered RAG: like passages are summed up once, and every question reads the summaries."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from ragctx.corpus import Corpus, IndexSlot
from ragctx.errors import ConfigError
from ragctx.models import Models
from ragctx.registry import Alias
from ragctx.retrievers.chunk_vectors import chunk_vectors
from ragctx.retrievers.clusters import FORMAT, Cluster, Clusters, spans_of
from ragctx.retrievers.condensing import Condenser, line, said
from ragctx.retrievers.kmeans import MOST, grouped
from ragctx.retrievers.merging import NAMED
from ragctx.retrievers.ranking import NONE_ADMITTED
from ragctx.strategies.limits import output_tokens
from ragctx.types import Context, Dropped, Line, Question, Range
from ragctx.types.costs import ZERO
from ragctx.work import Work, embed

ENCODER, READER = "encoder", "reader"
# Tokens of a summary's heading at most and of the shortest summary with it, and how full a summary is; for plans alone.
_HEAD, _SHORT, _FILLED = 32, 32, 0.6
CRAG = Alias(
    "clustered", "crag: the clustered one of Akesson and Santos (arXiv 2406.00029); Corrective RAG is `corrective`"
)


@dataclass(frozen=True, slots=True)
class Clustered:
    """Sums up passages that are alike, once for a corpus, and hands over the summaries (CRAG, arXiv 2406.00029).

    The chunks' vectors are grouped by k-means and the reader writes one summary of each group, headed by how many
    passages it stands for. That is done when the corpus is prepared and kept beside its indexes, so that every later
    question pays for its own reading alone: for opinions over many short texts that is a fraction of what plain
    retrieval reads. A summary drops what one text alone says, so single facts and counts are not found this way.

    Summaries are `derived` passages: their spans are those of the chunks behind them, which citations are looked up
    in. A group of one short chunk is handed over verbatim. With a filter (`question.where`) the groups are those of
    what it admits, summed up on their own when first asked for. Other texts, settings, encoder or reader make other
    summaries; a call that fails leaves none behind.

    Attributes:
        k: how many groups; "auto" takes what has the best silhouette from 2 to the square root of the chunks, 10 at
            most, and one group under 4 chunks.
        most: tokens of one summary.
        seed: of k-means. tries: its starts.

    Raises:
        ConfigError: an option makes no sense; or, when asked, no model plays "encoder", or the reader does not write.

    Example:
        >>> Clustered(k=3).name
        'clustered'
    """

    name: ClassVar[str] = "clustered"

    k: int | Literal["auto"] = "auto"
    most: int = 120
    seed: int = 0
    tries: int = 8

    def __post_init__(self) -> None:
        if self.k != "auto" and (not isinstance(self.k, int) or self.k < 1):
            raise ConfigError(f"clustered needs k='auto' or a number from 1, not {self.k!r}")
        if self.most < 16 or self.tries < 1:
            raise ConfigError(
                f"clustered needs most from 16 and tries from 1, not most={self.most}, tries={self.tries}"
            )

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Group and sum up what is not summed up yet; at once when nothing changed.

        Raises:
            RequestFailed: a summary could not be made; nothing is kept but the replies that came.
        """
        if len(corpus.chunks):
            yield from self._clusters(corpus, models)

    def retrieve(self, question: Question, corpus: Corpus, limit: int, models: Models) -> Work[Context]:
        """At most `limit` summaries: the largest groups first, or those nearest to the question where more were made.

        A score is the group's part of all chunks, or the cosine of its centre with the question.
        """
        view = corpus.select(question.where)
        if not len(view.chunks):
            return Context(notes=(NONE_ADMITTED,))
        clusters = yield from self._clusters(view, models)
        scores = clusters.shares
        if len(clusters.listed) > limit:
            [vector] = yield from embed([question.text], query=True, role=ENCODER)
            scores = _unit(clusters.centres) @ np.asarray(vector, np.float64)
        order = np.lexsort((np.arange(len(scores)), -scores))
        passages = tuple(clusters.listed[i].passage(view, float(scores[i])) for i in order[:limit].tolist())
        signals = {"clusters": float(len(clusters.listed)), "cluster_share_max": float(clusters.shares.max())}
        left = [clusters.listed[i] for i in order[limit:].tolist()]
        return Context(passages, _dropped(left, limit), (_told(clusters, view),), signals)

    def lines(self, question: Question, corpus: Corpus, limit: int, models: Models) -> tuple[Line, ...]:
        """What `retrieve` itself asks: the summaries of a filter's view where there are none yet, and a vector."""
        view = corpus.select(question.where)
        own = self.preparing(view, models) if view is not corpus else ()
        groups = self._groups(len(view.chunks))
        if groups.high <= limit or models.of(ENCODER).prices is None:
            return own
        tokens = models.of(ENCODER).counter.count(question.text)
        return (*own, Line(ENCODER, Range(0, tokens, 2 * tokens + 8), ZERO, Range(0, 1, 1)))

    def preparing(self, corpus: Corpus, models: Models) -> tuple[Line, ...]:
        """What `prepare` still asks: each text read once, and a summary of each group; nothing when it is done."""
        if not len(corpus.chunks) or self._slot(corpus, models).current:
            return ()
        return (line(corpus, models.reader, self._most(models), self._groups(len(corpus.chunks))),)

    def handed(self, corpus: Corpus, limit: int, models: Models) -> Range:
        """Tokens of so many summaries, from a few words each to full ones; what stands verbatim is no longer."""
        groups, most = self._groups(len(corpus.chunks)), self._most(models)
        fewest = 2 if groups.high > 1 else groups.low  # chunks that are all alike make one group, and are not expected
        low, expected, high = (min(number, limit) for number in (fewest, groups.expected, groups.high))
        return Range(low * min(_SHORT, most), expected * (_HEAD + _FILLED * most), high * (_HEAD + most))

    def _clusters(self, corpus: Corpus, models: Models) -> Work[Clusters]:
        slot = self._slot(corpus, models)
        if slot.current is None:
            made = yield from self._made(corpus, models)
            slot.replace(made.save)
        assert slot.current is not None
        return Clusters.open(slot.current)

    def _made(self, corpus: Corpus, models: Models) -> Work[Clusters]:
        condenser = Condenser(corpus, models.reader, self._most(models))
        room = condenser.room  # before anything is embedded: a window too small for summaries is told at once
        vectors = yield from chunk_vectors(corpus, models.of(ENCODER))
        groups = grouped(vectors, None if self.k == "auto" else self.k, seed=self.seed, tries=self.tries)
        spans, sizes = spans_of(corpus, groups), [len(rows) for rows in groups.members]
        count = models.reader.counter.count
        alone = [
            size == 1 and count(corpus.text(own[0])) <= min(room, condenser.most)
            for own, size in zip(spans, sizes, strict=True)
        ]
        long = [own for own, short in zip(spans, alone, strict=True) if not short]
        condensed = yield from condenser.condense(long)
        written = iter(condensed)
        texts = ["" if short else next(written).text for short in alone]
        listed = tuple(Cluster(*row) for row in zip(texts, sizes, spans, strict=True))
        bill = sum(one.prompt for one in condensed), sum(one.output for one in condensed)
        return Clusters(listed, groups.centres, *bill)

    def _slot(self, corpus: Corpus, models: Models) -> IndexSlot:
        """The place of these settings' summaries of a corpus or a view."""
        known = [facts.identity or facts.name for facts in (models.of(ENCODER), models.reader)]
        held = repr((FORMAT, self.k, self._most(models), self.seed, self.tries, said().digest, *known))
        return corpus.slot(f"clustered-{hashlib.sha256(held.encode()).hexdigest()[:12]}")

    def _most(self, models: Models) -> int:
        return output_tokens(models.reader, self.most)

    def _groups(self, chunks: int) -> Range:
        """How many groups there may be."""
        if self.k != "auto":
            return Range(1, min(self.k, chunks), min(self.k, chunks)) if chunks else ZERO
        most = min(MOST, math.isqrt(chunks))
        return Range(1, max(1, (1 + most) / 2), max(1, most)) if chunks else ZERO


def _told(clusters: Clusters, view: Corpus) -> str:
    """What the summaries cost, and for what."""
    tokens = clusters.prompt + clusters.output
    whole = "this corpus" if view.base is view else "this part of the corpus"
    return f"summaries cost {tokens:,} tokens once for {whole}; every question on it reads them without that cost"


def _dropped(left: Sequence[Cluster], limit: int) -> tuple[Dropped, ...]:
    """The clusters that were not handed over, by some of their spans."""
    named = [(rank, span) for rank, cluster in enumerate(left, start=limit + 1) for span in cluster.spans]
    return tuple(Dropped(span, f"cluster {rank} of at most {limit}") for rank, span in named[:NAMED])


def _unit(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), np.float64)
