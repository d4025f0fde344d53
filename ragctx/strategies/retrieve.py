"""Find the passages a question needs and give the reader those, up to a token budget."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar, TypeVar, cast

import numpy as np

from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError
from ragctx.models import Models
from ragctx.prompts import Templates, shipped
from ragctx.registry import make, options
from ragctx.strategies.answering import Reading
from ragctx.strategies.filling import Filler, chunk_tokens, least_filled
from ragctx.strategies.limits import Ceiling, output_tokens, readable
from ragctx.strategies.ordering import ORDERS, Order, ordered
from ragctx.strategies.standalone import alone, line
from ragctx.types import Answer, Context, Estimate, Line, Question, Range
from ragctx.types.costs import ZERO
from ragctx.work import Work

T = TypeVar("T")

# A model with a small window reads little well: SmolLM2-135M (8,192 tokens) found as many answers in 600 tokens of
# passages as in 1,200, at half the cost. Below some hundred tokens there is no room for a paragraph.
_ROOM, _SHARE, _LEAST = 2000, 12, 256
# Twice as many candidates as fill the room, so that there are shorter ones to fill the end with.
_SPARE = 2.0
_FEWEST, _MOST = 8, 400
# Retrievers that always find as many chunks as they are asked for, where there are as many.
_RANK_ALL = ("hybrid", "dense")
# How full the room is on average after filling; see `Filler`.
_FULL = 0.95


@dataclass(frozen=True, slots=True)
class Retrieve:
    """Find the passages a question needs and give the reader those, up to a token budget.

    Passages are taken best first until the room is full, and put in an order that keeps the best from the middle of the
    prompt, which models read least. The answer's `dropped` holds every passage in hand that did not fit, and what the
    retriever names of those it did not hand over: those that come with ragctx name the next ranks, ten at most. Where
    nothing at all is found (a question that shares no word with the documents, and no encoder), the documents'
    openings are read instead, and the answer says so.

    Attributes:
        tokens: most tokens of passages, headings included; by default a twelfth of the reader's window, but
            256 at least and 2,000 at most; never more than the window leaves.
        retriever: a registered name, or a `Retriever`.
        max_output: most tokens the answer may have.
        candidates: chunks to ask the retriever for; by default twice as many as fill the room.
        order: "edges" (best at both ends), "document", "score" (best first) or "rising" (best last).
        logprobs: ask for log-probabilities, for a confidence. templates: the texts of the prompt.

    Raises:
        ConfigError: an option makes no sense.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.work import Completion, run
        >>> corpus = Corpus.of("The notice period is three months.", "Pets are welcome.")
        >>> work = Retrieve(retriever="bm25").read(
        ...     Question("What is the notice period?"), corpus, Models({"reader": ModelFacts("m")}))
        >>> run(work, lambda requests: [Completion("Three months. [1]")]).citations[0].source
        'text-1'
    """

    name: ClassVar[str] = "retrieve"

    tokens: int | None = None
    retriever: str | Retriever = "hybrid"
    max_output: int = 256
    candidates: int | None = None
    order: Order = "edges"
    logprobs: bool = False
    templates: Templates = field(default_factory=shipped)

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ConfigError(f"no order is called {self.order!r}: there are {', '.join(ORDERS)}")
        if (self.tokens is not None and self.tokens < 1) or (self.candidates is not None and self.candidates < 1):
            raise ConfigError(
                f"retrieve needs room: tokens={self.tokens}, candidates={self.candidates}; give at least 1"
            )

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the retriever's index."""
        yield from self._retriever().prepare(corpus, models)

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        """What `read` will spend.

        Where finding needs no model, the passages are found and counted, so the prompt is known to the token if the
        reader's counter is exact. Otherwise it follows from the chunks' mean length and the way the room is filled.

        Raises:
            DoesNotFit: not even a prompt without passages fits the reader's window.
        """
        view = readable(question, corpus)
        reading = self._reading(models)
        filler = self._filler(question, view, models, reading)
        rewriting = line(question, models, self.templates)
        found = self._found_for_nothing(_with_history(question), corpus, view, models)
        if found is None:
            typical = reading.estimate(question, self._typical(filler, view, models), rewriting, exact=False)
            return replace(typical, lines=(*typical.lines, *_search(question, models)))
        prompt = filler.tokens(filler.fill(found).passages)
        exactly = Range.exactly(prompt)
        about = Range(filler.tokens(()), prompt, max(prompt, filler.ceiling.tokens or 0))
        exact = models.reader.counter.exact
        return reading.estimate(
            question, about if question.history else exactly, rewriting, exact=exact, notes=found.notes
        )

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        """Find, fill, answer.

        Raises:
            LimitError: window, budget or `tokens` leave no room for a single sentence.
        """
        view = readable(question, corpus)
        reading = self._reading(models)
        asked = yield from alone(question, models, self.templates)
        filler = self._filler(asked.question, view, models, reading, asked.spent)
        found = yield from self._found(asked.question, corpus, view, models)
        context = filler.fill(found)
        return (yield from reading.answer(asked, context, view, models, filler.ceiling))

    def _reading(self, models: Models) -> Reading:
        return Reading(self.name, self.templates, output_tokens(models.reader, self.max_output), self.logprobs)

    def _retriever(self) -> Retriever:
        if not isinstance(self.retriever, str):
            return self.retriever
        # Chunk by chunk, so that the room is filled by rank; neighbours that were both taken are joined after that.
        single = {"merge": False} if "merge" in options("retrievers", self.retriever) else {}
        return cast("Retriever", make("retrievers", self.retriever, **single))

    def _filler(self, question: Question, view: Corpus, models: Models, reading: Reading, spent: int = 0) -> Filler:
        """What fills the prompt; refuses when there is no room even for the question."""
        prompt = reading.prompt(question, view)
        ceiling = Ceiling.of(models.reader, reading.output, question, spent)
        bare = models.reader.counter.render(prompt.messages((), question))
        ceiling.check(bare)
        room = self._room(models)
        ceiling = ceiling.lowered(bare + room, f"retrieve(tokens={room})", bare)
        return Filler(prompt, question, models.reader.counter, ceiling, view, partial(ordered, order=self.order))

    def _found(self, question: Question, corpus: Corpus, view: Corpus, models: Models) -> Work[Context]:
        retriever = self._retriever()
        yield from retriever.prepare(corpus, models)
        limit = self._candidates(view, models)
        found = yield from retriever.retrieve(question, corpus, limit, models)
        return found if found.passages else _openings(found, view, limit)

    def _found_for_nothing(self, question: Question, corpus: Corpus, view: Corpus, models: Models) -> Context | None:
        """The passages, where finding them calls no model; None where it would."""
        if models.has("encoder") and self.retriever != "bm25":
            return None
        return _without_models(self._found(question, corpus, view, models))

    def _room(self, models: Models) -> int:
        window = models.reader.window
        return self.tokens or (_ROOM if window is None else max(_LEAST, min(_ROOM, window // _SHARE)))

    def _candidates(self, view: Corpus, models: Models) -> int:
        enough = math.ceil(_SPARE * self._room(models) / chunk_tokens(view, models.reader.counter))
        return self.candidates or min(_MOST, max(_FEWEST, enough))

    def _typical(self, filler: Filler, view: Corpus, models: Models) -> Range:
        """The prompt's range from the corpus's mean chunk and the room."""
        bare, most = filler.tokens(()), filler.ceiling.tokens or 0
        chunks = min(self._candidates(view, models), len(view.chunks))
        there = chunks * chunk_tokens(view, models.reader.counter)
        expected = min(there, _FULL * (most - bare))
        sure = self.retriever in _RANK_ALL
        least = least_filled(view, models.reader.counter, chunks, most - bare) if sure else 0.0
        return Range(bare + min(least, expected), bare + expected, most)


def _search(question: Question, models: Models) -> tuple[Line, ...]:
    """What embedding the question costs; an encoder without a price is not billed."""
    if not models.has("encoder") or models.of("encoder").prices is None:
        return ()
    tokens = models.of("encoder").counter.count(question.text)
    return (Line("encoder", Range(0, tokens, 2 * tokens + 8), ZERO, Range.exactly(1)),)


def _with_history(question: Question) -> Question:
    """What is searched for in a plan: a follow-up's words are mostly those of the turns before it."""
    said = " ".join(turn.text for turn in question.history[-2:])
    return replace(question, text=f"{question.text} {said}") if said else question


def _without_models(work: Work[T]) -> T | None:
    """The result of work that asks no model; None as soon as it asks."""
    try:
        next(work)
    except StopIteration as done:
        return cast("T", done.value)
    work.close()
    return None


def _openings(found: Context, view: Corpus, limit: int) -> Context:
    """The first chunks of every document, all first ones before the second ones."""
    chunks = view.chunks
    index = np.asarray(chunks.document_index)
    starts = np.searchsorted(index, index)
    rank = np.arange(len(index)) - starts
    first = np.lexsort((index, rank))[:limit]
    passages = tuple(view.passage(chunks[int(i)]) for i in first)
    note = "nothing in the documents matches the question: their openings were read instead"
    return replace(found, passages=passages, notes=(*found.notes, note))
