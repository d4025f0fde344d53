"""What a prompt shows of the documents: all of them where they fit its room, otherwise what a search finds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.models import Models
from ragctx.prompts import Prompt
from ragctx.prompts.tasks import Task
from ragctx.strategies import finding
from ragctx.strategies.chunk_sizes import chunk_tokens, least_filled
from ragctx.strategies.filling import Filler, fitted
from ragctx.strategies.standalone import MOST
from ragctx.types import Context, Line, Passage, Question, Range
from ragctx.work import Message, Work

# As for plain retrieval: a twelfth of the window, within these; and a tenth more candidates than fill it twice.
_ROOM, _SHARE, _LEAST, _SPARE = 2000, 12, 256, 2.0
_FEWEST, _MOST = 8, 400
# How full the room is on average after filling.
_FULL = 0.95


@dataclass(frozen=True, slots=True)
class Tasked(Prompt):
    """A strategy's own task in the place of the question: so that passages are filled in to the token.

    Attributes:
        task: writes the prompt. name: of its template, which is given the question alone.
    """

    task: Task | None = None
    name: str = ""

    def messages(self, passages: Sequence[Passage], question: Question) -> tuple[Message, ...]:
        """The whole prompt."""
        assert self.task is not None
        shown = passages or (Passage("", (), "x"),)
        return self.task.messages(self.name, shown, question=question.text)


@dataclass(frozen=True, slots=True)
class Gathered:
    """Where the passages of one question come from.

    Attributes:
        retriever: a registered name, or a `Retriever`. corpus: where is searched. view: what may be read.
        models: facts. tokens: most tokens of passages; None takes what plain retrieval takes.
    """

    retriever: str | Retriever
    corpus: Corpus
    view: Corpus
    models: Models
    tokens: int | None = None

    @property
    def room(self) -> int:
        """Most tokens of passages, headings included."""
        window = self.models.reader.window
        return self.tokens or (_ROOM if window is None else max(_LEAST, min(_ROOM, window // _SHARE)))

    def whole(self, room: float) -> bool:
        """Whether all that may be read has a chance to fit."""
        return self.view.tokens(self.models.reader) <= room

    def context(self, question: Question, filler: Filler) -> Work[Context]:
        """The passages that are read, filled into a prompt.

        Raises:
            LimitError: not one sentence fits.
        """
        everything = self._everything(filler)
        if everything is not None:
            return everything
        found = yield from self.found(question)
        return fitted(filler, found)

    def found(self, question: Question) -> Work[Context]:
        """The chunks that a search finds, best first."""
        return (yield from finding.find(self.retriever, question, self.corpus, self.view, self.limit, self.models))

    def planned(self, question: Question, filler: Filler) -> tuple[Range, tuple[Line, ...]]:
        """The prompt's tokens for a plan, and what searching takes.

        Counted where no model is needed to find, else from the chunks' lengths.
        """
        bare = filler.tokens(())
        most = max(bare, filler.ceiling.tokens or bare)
        if (everything := self._everything(filler)) is not None:
            return _spread(filler.tokens(everything.passages), bare, most, question), ()
        searched, limit = finding.with_history(question), self.limit
        found = finding.find_for_nothing(self.retriever, searched, self.corpus, self.view, limit, self.models)
        if found is not None:
            return _spread(filler.tokens(fitted(filler, found).passages), bare, most, question), ()
        chunks = min(limit, len(self.view.chunks))
        counter, room = self.models.reader.counter, most - bare
        there = min(chunks * chunk_tokens(self.view, counter), _FULL * room)
        sure = self.retriever in finding.RANK_ALL
        least = min(there, least_filled(self.view, counter, chunks, room)) if sure else 0.0
        return Range(bare + least, bare + there, most), self.search(question)

    def search(self, question: Question) -> tuple[Line, ...]:
        """What one search takes."""
        return finding.search_line(self.retriever, question, self.models, self.corpus, self.limit)

    def _everything(self, filler: Filler) -> Context | None:
        """All of it, where it fits; None where it does not."""
        most = (filler.ceiling.tokens or 0) - filler.tokens(())
        if not self.whole(most):
            return None
        passages = finding.paged(self.view.everything().passages, self.view)
        fits = filler.tokens(passages) <= (filler.ceiling.tokens or 0)
        return Context(passages) if fits else None

    @property
    def limit(self) -> int:
        """Chunks to ask a search for."""
        each = chunk_tokens(self.view, self.models.reader.counter)
        return min(_MOST, max(_FEWEST, math.ceil(_SPARE * self.room / each)))


def _spread(counted: int, bare: int, most: int, question: Question) -> Range:
    """A follow-up is made another question first, which may find other passages."""
    if not question.history:
        return Range.exactly(counted)
    return Range(min(bare, counted), counted, max(most, counted) + MOST)


def with_notes(context: Context, *notes: str) -> Context:
    """The context with further notes."""
    return replace(context, notes=(*context.notes, *(note for note in notes if note)))
