"""Narrowing given texts to a token budget by their words alone: a compressor for contexts without a corpus."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

from ragctx import registry
from ragctx.corpus import Chunking, Corpus
from ragctx.errors import ConfigError
from ragctx.models import Counter, Models
from ragctx.types import Context, Document, Dropped, Passage, Question, Span
from ragctx.work import Work


@dataclass(frozen=True, slots=True)
class Narrow:
    """Keeps the pieces that share words with the question, best first, until the budget is full.

    The texts are cut into small runs of sentences and ranked by a registered retriever that needs no model; kept pieces
    stay in the order in which they were given. What fits the budget whole is returned as it is. Where no piece shares
    a word with the question, pieces are kept from the front, and the retriever's note says why.

    Attributes:
        words: the most words of a piece. retriever: name of a retriever that asks no model.

    Raises:
        ConfigError: a passage is derived text, which has no exact place in a document.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.work import run
        >>> given = Context((Passage("Pets are fine. " * 30 + "The rent is ten.", (Span("a", 0, 466),)),))
        >>> models = Models({"reader": ModelFacts("m")})
        >>> run(Narrow(words=8).compress(Question("What is the rent?"), given, 20, models)).passages[0].text
        'The rent is ten.'
    """

    name: ClassVar[str] = "narrow"

    words: int = 40
    retriever: str = "bm25"

    def compress(self, question: Question, context: Context, budget: int, models: Models) -> Work[Context]:
        """A context of at most `budget` tokens by the reader's counter."""
        counter = models.reader.counter
        if _size(context.passages, counter) <= budget:
            return context
        pieces = [piece for passage in context.passages for piece in _pieces(passage)]
        if not any(text.strip() for _, text in pieces):
            return context.with_passages(())
        with tempfile.TemporaryDirectory(prefix="ragctx-") as folder:
            documents = [Document(str(number), text) for number, (_, text) in enumerate(pieces) if text.strip()]
            corpus = Corpus.over(*documents, folder=Path(folder), chunking=Chunking(words=self.words))
            chunks = [corpus.chunks[number] for number in range(len(corpus.chunks))]
            searcher = registry.make("retrievers", self.retriever, merge=False)
            found = yield from searcher.retrieve(question, corpus, len(chunks), models)
            texts = {_moved(chunk, pieces): corpus.text(chunk) for chunk in chunks}
        ranked = [_moved(chunk, pieces) for chunk in found.spans or chunks]
        kept = _filled(context.passages, ranked, texts, budget, counter)
        left = [place for place in texts if not any(place.overlap(span) for passage in kept for span in passage.spans)]
        return Context(
            kept,
            (*context.dropped, *(Dropped(place, "not among what fits the budget") for place in left)),
            (*context.notes, *found.notes),
            {**context.signals, **found.signals},
        )


def _pieces(passage: Passage) -> Iterator[tuple[Span, str]]:
    """Each span of a passage with its own text."""
    if passage.derived:
        raise ConfigError("narrow keeps verbatim text only: give it passages cut from documents, or another compressor")
    at, before = 0, None
    for span in passage.spans:
        at += before is not None and before.end < span.start  # one space where spans do not touch
        yield span, passage.text[at : at + len(span)]
        at, before = at + len(span), span


def _filled(
    given: Sequence[Passage], ranked: Iterable[Span], texts: Mapping[Span, str], budget: int, counter: Counter
) -> tuple[Passage, ...]:
    """The given passages cut down to the best spans that fit.

    Pieces are added up as if each stood alone; where the joined text counts for more, the last ones go again.
    """
    kept: list[Span] = []
    left = budget
    for span in ranked:
        cost = counter.count(" " + texts[span])
        if cost <= left:
            kept.append(span)
            left -= cost
    while kept and _size(_passages(given, kept, texts), counter) > budget:
        kept.pop()
    return tuple(_passages(given, kept, texts))


def _size(passages: Iterable[Passage], counter: Counter) -> int:
    """Tokens of passages as they are read: with blank lines between them."""
    return counter.count("\n\n".join(passage.text for passage in passages))


def _moved(span: Span, pieces: list[tuple[Span, str]]) -> Span:
    """A span of a numbered piece as a span of the document that the piece was cut from."""
    place, _ = pieces[int(span.document)]
    return Span(place.document, place.start + span.start, place.start + span.end)


def _passages(given: Iterable[Passage], kept: Iterable[Span], texts: Mapping[Span, str]) -> Iterator[Passage]:
    """What was kept of the given passages, in their order; those of which nothing was kept are left out."""
    ordered = sorted(kept)
    for passage in given:
        inside = [span for span in ordered if any(whole.overlap(span) for whole in passage.spans)]
        if inside:
            text = "".join(_gap(before, span) + texts[span] for before, span in pairwise([inside[0], *inside]))
            yield Passage(text, tuple(inside), passage.source, passage.page, passage.score)


def _gap(before: Span, span: Span) -> str:
    """One space where spans do not touch; a span has no gap before itself."""
    return " " if before.end < span.start else ""
