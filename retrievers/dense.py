"""Dense retrieval: the chunks, or the documents, whose vectors lie nearest to the question's. Needs an encoder."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from ragctx.corpus import Corpus
from ragctx.errors import ConfigError
from ragctx.models import Models
from ragctx.retrievers import segments
from ragctx.retrievers.embedding import forget, shards
from ragctx.retrievers.max_sim import best_documents
from ragctx.retrievers.merging import NAMED, context
from ragctx.retrievers.parts import of_corpus, pack, reuse
from ragctx.retrievers.ranking import HEAD, NONE_ADMITTED, Ranking
from ragctx.retrievers.vectors import VectorIndex, join, required, stack, thin
from ragctx.types import Context, Question
from ragctx.work import Work, embed

ROLE = "encoder"


@dataclass(frozen=True, slots=True)
class Dense:
    """Ranks chunks by the cosine of their vector with the question's (Karpukhin et al., arXiv 2004.04906).

    Only documents that are new or changed are embedded. While they are, the older index stays in place.

    Long documents can be ranked as a whole: each is as near to the question as its nearest chunk. Chunks of code are
    blocks of its syntax tree, so that this splits, encodes and aggregates code as SEA does (Hu et al., arXiv
    2208.11271), with max-sim in place of a trained aggregation.

    Attributes:
        merge: join neighbouring chunks of the result into one passage.
        per_document: rank documents by their nearest chunk, and hand over so many chunks of each at most, with the
            document's score; None ranks every chunk by itself.

    Raises:
        ConfigError: no chunk of a document would be handed over.

    Example:
        >>> from ragctx.encoders import open_encoder
        >>> from ragctx.work import run
        >>> class Letters:
        ...     def encode(self, texts):
        ...         return [[text.count("e") + 1, text.count("o") + 1] for text in texts]
        >>> encoder = open_encoder(Letters())
        >>> corpus, models = Corpus.of("the three", "no photo"), Models({"encoder": encoder.facts})
        >>> work = Dense().retrieve(Question("Tree, bee?"), corpus, 1, models)
        >>> run(work, lambda requests: encoder.serve(requests, lambda i, text: None)).passages[0].text
        'the three'
    """

    name: ClassVar[str] = "dense"

    merge: bool = True
    per_document: int | None = None

    def __post_init__(self) -> None:
        if self.per_document is not None and self.per_document < 1:
            raise ConfigError(f"{self.name} needs per_document from 1, or none to rank chunks, not {self.per_document}")

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Embed what is not embedded yet; at once when nothing changed.

        Raises:
            ConfigError: no model plays "encoder". MissingExtra: faiss is not installed.
        """
        yield from self._folder(corpus.base, models)

    def retrieve(self, question: Question, corpus: Corpus, limit: int, models: Models) -> Work[Context]:
        """At most `limit` chunks, nearest first; `dropped` names the up to ten next ranks, not every other chunk.

        Raises:
            ConfigError: no model plays "encoder". MissingExtra: faiss is not installed.
        """
        ranking = yield from self.rank(question, corpus, limit + NAMED, models)
        return context(corpus, ranking, limit, merge=self.merge)

    def rank(self, question: Question, corpus: Corpus, depth: int, models: Models) -> Work[Ranking]:
        """The nearest `depth` chunks with their cosines, or the chunks of the nearest documents, and two signals.

        `dense_top1`: the best cosine. `dense_gap`: how far it lies above the mean of the best ten.
        """
        admitted = corpus.mask(question.where)
        if not admitted.any():
            return Ranking.none(NONE_ADMITTED)
        folder = yield from self._folder(corpus.base, models)
        [vector] = yield from embed([question.text], query=True, role=ROLE)
        index = segments.opened(folder, VectorIndex.open)
        in_base = np.zeros(len(corpus.base.chunks), dtype=bool)
        in_base[corpus.rows[admitted]] = True
        found, cosines = index.search(vector, in_base, max(depth, HEAD))
        signals = {
            "dense_top1": float(np.clip(cosines[0], 0, 1)),
            "dense_gap": float(np.clip(cosines[0] - cosines[:HEAD].mean(), 0, 1)),
        }
        if self.per_document is not None:
            every, values = index.cosines(vector, in_base)
            held = corpus.base.chunks.document_index[every]
            found, cosines = best_documents(every, values, held, self.per_document)
        return Ranking(np.searchsorted(corpus.rows, found[:depth]), cosines[:depth], signals)

    def _folder(self, corpus: Corpus, models: Models) -> Work[Path]:
        """The folder of the current index of a whole corpus; made now where there is none."""
        encoder = models.of(ROLE)
        identity = encoder.identity or encoder.name
        slot = corpus.slot(f"dense-{hashlib.sha256(identity.encode()).hexdigest()[:12]}")
        if slot.current:
            return slot.current
        required()  # an hour of embedding is no time to find out that the search library is missing
        older = segments.read(slot.previous) if slot.previous else []
        kept, missing = reuse(of_corpus(corpus), [parts for _, parts in older])
        held = [
            segments.Segment(keep.parts, segments.link(path) if keep.whole else partial(thin, path, keep.rows))
            for (path, _), keep in zip(older, kept, strict=True)
        ]
        made: list[Path] = []
        for group in pack(missing):
            files = yield from shards(corpus, group, identity)
            held.append(segments.Segment(tuple(group), partial(stack, files)))
            made += files
        folder = segments.put(slot, segments.compact(held, join))
        forget(made)
        return folder


@dataclass(frozen=True, slots=True)
class DenseDocuments(Dense):
    """Dense retrieval that ranks documents; see `Dense.per_document`.

    Example:
        >>> DenseDocuments().per_document
        3
    """

    name: ClassVar[str] = "dense-documents"

    per_document: int | None = 3
