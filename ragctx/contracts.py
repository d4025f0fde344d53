"""What a strategy, a retriever, a compressor and a model backend must be able to do.

Members such as `name` are read-only properties, so that class variables and wrappers both fit. Every plug-in runs
through the same contract suite (`tests/contracts/`): budgets, spans, determinism, odd input, estimate against actual.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from ragctx.corpus import Corpus
from ragctx.models import ModelFacts, Models
from ragctx.types import Answer, Context, Estimate, Line, Question, Range
from ragctx.work import Reply, Request, Work

if TYPE_CHECKING:
    from pathlib import Path


@runtime_checkable
class Strategy(Protocol):
    """A way of reading: from question and corpus to answer."""

    @property
    def name(self) -> str:
        """Registered name."""
        ...

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        """What `read` will spend; no model call, cheap enough to run for every question of a job.

        Raises:
            DoesNotFit: the strategy cannot read this corpus with this reader.
        """
        ...

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        """Answer the question; yields every request it needs."""
        ...


@runtime_checkable
class Retriever(Protocol):
    """Selects the spans of a corpus that a question needs."""

    @property
    def name(self) -> str:
        """Registered name."""
        ...

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the index; returns at once when it is current."""
        ...

    def retrieve(self, question: Question, corpus: Corpus, limit: int, models: Models) -> Work[Context]:
        """At most `limit` chunks, best first, never more than fit the question's filter.

        Signals with a meaning to whoever reads on: `search_tokens`, what a writing model was billed meanwhile, and
        `refused`, 1 where nothing is handed over on purpose.
        """
        ...


@runtime_checkable
class CostedRetriever(Protocol):
    """A retriever that can say beforehand what its own requests take; optional, and plans count what it says."""

    def lines(self, question: Question, corpus: Corpus, limit: int, models: Models) -> tuple[Line, ...]:
        """One line for each role that `retrieve` asks for this question; none where it asks no model.

        Args:
            question: what is searched for.
            corpus: where.
            limit: the most chunks.
            models: facts about the models.
        """
        ...


@runtime_checkable
class SizedRetriever(Protocol):
    """A retriever that hands over texts of its own making, whose length the corpus's chunks do not tell; optional."""

    def handed(self, corpus: Corpus, limit: int, models: Models) -> Range:
        """Tokens of what it hands over, headings included, by the reader's counter.

        Args:
            corpus: what is searched, no more than the question may read.
            limit: the most passages.
            models: facts about the models.
        """
        ...


@runtime_checkable
class CostedPreparation(Protocol):
    """A retriever or a strategy whose `prepare` asks more than an encoder, and can say beforehand what it takes."""

    def preparing(self, corpus: Corpus, models: Models) -> tuple[Line, ...]:
        """One line for each role that `prepare` still asks; none when it is done. Plans name it as paid once."""
        ...


@runtime_checkable
class Compressor(Protocol):
    """Narrows a context to a token budget."""

    @property
    def name(self) -> str:
        """Registered name."""
        ...

    def compress(self, question: Question, context: Context, budget: int, models: Models) -> Work[Context]:
        """A context of at most `budget` tokens.

        What is counted: the passages' texts joined by blank lines, as one text, by the counter of `models.reader`.
        The prompt's headings and instructions are not in it, so whoever writes the prompt leaves room for them. A
        budget too small for anything gives a context without passages, never an error. Passages stay exact (a passage
        that is not derived reads as its spans do), and everything visible that came in is in a passage or `dropped`.

        Raises:
            ConfigError: it needs a model that nobody plays; the message names the remedy.
        """
        ...


@runtime_checkable
class Costed(Protocol):
    """A compressor that can say beforehand what its own requests take; optional, and plans say where it is missing."""

    def estimate(
        self, context_tokens: int, passages: int, question_tokens: int, budget: int, models: Models
    ) -> tuple[Line, ...]:
        """One line for each role it asks, without the call that answers the question; none where it asks no model.

        Args:
            context_tokens: of all passages together, by the reader's counter.
            passages: how many there are.
            question_tokens: of the question's text alone, by the reader's counter.
            budget: tokens that may be left.
            models: facts about the models.
        """
        ...


@runtime_checkable
class Recovering(Protocol):
    """A compressor that drops words and can put those back that an answer needs; optional."""

    def recover(self, answer: str, before: Context, kept: Context) -> str:
        """The answer with what it copied from the kept text put as the whole text has it.

        Args:
            answer: what the reader wrote.
            before: the context that was compressed.
            kept: what `compress` made of it.
        """
        ...


@runtime_checkable
class Index(Protocol):
    """What a retriever plugs into the corpus's manifest: the corpus owns locking and the atomic swap."""

    @property
    def name(self) -> str:
        """Name and settings digest: one folder for each."""
        ...

    def open(self, folder: Path) -> object:
        """The opened index; memory-mapped where it can be."""
        ...


Emit = Callable[[int, str], None]


@runtime_checkable
class BatchBackend(Protocol):
    """A model in this process: it is given lists, on one worker thread, and batches them itself."""

    @property
    def facts(self) -> ModelFacts:
        """Its facts."""
        ...

    @property
    def batch(self) -> int:
        """The most requests it wants at once."""
        ...

    def serve(self, requests: Sequence[Request], emit: Emit) -> Sequence[Reply]:
        """One reply for each request, in order; `emit(i, text)` streams request i's new text.

        A request it cannot serve gets a `Failure` in its slot; raising means the whole list failed.
        """
        ...

    def close(self) -> None:
        """Release memory and files; the backend is not used afterwards."""
        ...


@runtime_checkable
class RemoteBackend(Protocol):
    """A model behind an endpoint: one call at a time, many at once."""

    @property
    def facts(self) -> ModelFacts:
        """Its facts."""
        ...

    @property
    def concurrency(self) -> int:
        """The most calls in flight."""
        ...

    async def call(self, request: Request, emit: Callable[[str], None]) -> Reply:
        """One reply; never retries (the engine does), never raises for what the endpoint did."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


Backend = BatchBackend | RemoteBackend
