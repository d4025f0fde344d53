"""What is handed to a compressor: everything the question may read, or as much as a wide search finds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.models import ModelFacts, Models
from ragctx.strategies import finding
from ragctx.strategies.chunk_sizes import chunk_tokens
from ragctx.strategies.filling import missing
from ragctx.types import Context, Dropped, Passage, Question, Span
from ragctx.work import Work

Unit = Literal["chunk", "document"]
# Blanks between two neighbouring pieces of a document that are kept with them.
_BLANKS = 16
_BEYOND = "found, but beyond what is handed to the compressor"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is handed to a compressor.

    Attributes:
        text: tokens of the texts, by the reader's counter. documents, passages: how many of each.
        known: it was counted, not guessed. notes: of the search.
    """

    text: float
    documents: int
    passages: int
    known: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gathering:
    """How wide is read before compressing.

    Attributes:
        retriever: what searches, where the documents are longer than `most`; None takes them all, however long.
        most: tokens that are handed to the compressor, by the reader's counter.
        unit: what a passage is where everything is taken: "chunk" or "document".
    """

    retriever: str | Retriever | None
    most: int
    unit: Unit

    def takes_all(self, view: Corpus, reader: ModelFacts) -> bool:
        """Whether nothing has to be searched."""
        return self.retriever is None or view.tokens(reader) <= self.most

    def limit(self, view: Corpus, reader: ModelFacts) -> int:
        """Chunks to search for."""
        return max(1, math.ceil(self.most / chunk_tokens(view, reader.counter)))

    def source(self, question: Question, corpus: Corpus, view: Corpus, models: Models) -> Work[Context]:
        """The passages, in the documents' order where all are taken and best first where they were found."""
        if self.retriever is None or self.takes_all(view, models.reader):
            return self.everything(view)
        limit = self.limit(view, models.reader)
        found = yield from finding.find(self.retriever, question, corpus, view, limit, models)
        return self.cut(found, models.reader)

    def size(self, question: Question, corpus: Corpus, view: Corpus, models: Models) -> Size:
        """How much `source` will be: counted where no model has to be asked."""
        reader = models.reader
        if self.retriever is None or self.takes_all(view, reader):
            documents = len(view.documents)
            return Size(view.tokens(reader), documents, len(view.chunks) if self.unit == "chunk" else documents)
        searched, limit = finding.with_history(question), self.limit(view, reader)
        found = finding.find_for_nothing(self.retriever, searched, corpus, view, limit, models)
        if found is None:
            return Size(self.most, min(limit, len(view.documents)), limit, known=False)
        kept = self.cut(found, reader)
        text = sum(reader.counter.count(passage.text) for passage in kept.passages)
        return Size(text, len({span.document for span in kept.spans}), len(kept.passages), notes=kept.notes)

    def everything(self, view: Corpus) -> Context:
        """All of the documents."""
        if self.unit == "document":
            return view.everything()
        return Context(tuple(view.passage(view.chunks[i]) for i in range(len(view.chunks))))

    def cut(self, found: Context, reader: ModelFacts) -> Context:
        """The best passages that are within `most`, the first in any case."""
        left, taken = self.most, 0
        for passage in found.passages:
            left -= reader.counter.count(passage.text)
            if left < 0 and taken:
                break
            taken += 1
        beyond = tuple(Dropped(span, _BEYOND) for passage in found.passages[taken:] for span in passage.spans)
        return replace(found, passages=found.passages[:taken], dropped=(*found.dropped, *beyond))


def joined(passages: Iterable[Passage], corpus: Corpus) -> tuple[Passage, ...]:
    """One passage for each document, standing where its first piece stood: a heading for every piece costs tokens.

    Pieces that stood beside each other in the document are joined with the blanks between them. Derived passages stay
    as they are.

    Args:
        passages: in reading order.
        corpus: where the documents are looked up.
    """
    whole: dict[object, list[Passage]] = {}
    for number, passage in enumerate(passages):
        apart = passage.derived or len({span.document for span in passage.spans}) != 1
        whole.setdefault(number if apart else passage.spans[0].document, []).append(passage)
    return tuple(run[0] if len(run) == 1 else _one(run, corpus) for run in whole.values())


def _one(run: Sequence[Passage], corpus: Corpus) -> Passage:
    document = corpus.document(run[0].spans[0].document)
    scores = [passage.score for passage in run if passage.score is not None]
    seams = {passage.spans[-1].end for passage in run}
    spans: list[Span] = []
    for span in sorted(span for passage in run for span in passage.spans):
        before = spans[-1] if spans else None
        if before is not None and (before.end > span.start or (before.end in seams and _touch(before, span, corpus))):
            spans[-1] = Span(span.document, before.start, max(before.end, span.end))
        else:
            spans.append(span)
    return Passage.cut(document, spans, score=max(scores, default=None))


def _touch(one: Span, other: Span, corpus: Corpus) -> bool:
    """Whether nothing but some blanks lies between."""
    if other.start - one.end > _BLANKS:
        return False
    return not corpus.text(Span(one.document, one.end, other.start)).strip()


def unread(source: Context, kept: Iterable[Passage], told: Iterable[Dropped], reason: str) -> tuple[Dropped, ...]:
    """What of a source is neither kept nor told to be dropped.

    Args:
        source: what there was.
        kept: what is read of it.
        told: what is known to be left out.
        reason: of what is not known to be.
    """
    covered = [*(span for passage in kept for span in passage.spans), *(one.span for one in told)]
    return tuple(Dropped(span, reason) for span in missing(source.spans, covered))
