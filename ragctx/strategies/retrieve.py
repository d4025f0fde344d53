"""Find the passages a question needs and give the reader those, up to a token budget."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

from ragctx.contracts import Compressor, Retriever
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError, LimitError
from ragctx.models import Models
from ragctx.prompts import Templates, shipped
from ragctx.strategies import finding, reranking
from ragctx.strategies.answering import Reading
from ragctx.strategies.chunk_sizes import chunk_tokens, least_filled
from ragctx.strategies.filling import Filler, fitted
from ragctx.strategies.limits import Ceiling, output_tokens, readable
from ragctx.strategies.ordering import ORDERS, Order, ordered
from ragctx.strategies.pruning import PROVENCE, lacking, named, pruned, pruner, units_of
from ragctx.strategies.reranking import Ranked, Reranking
from ragctx.strategies.standalone import alone, line
from ragctx.types import Answer, Context, Estimate, Line, Question, Range
from ragctx.work import Work

# A model with a small window reads little well: SmolLM2-135M (8,192 tokens) found as many answers in 600 tokens of
# passages as in 1,200, at half the cost. Below some hundred tokens there is no room for a paragraph.
_ROOM, _SHARE, _LEAST = 2000, 12, 256
# Twice as many candidates as fill the room, so that there are shorter ones to fill the end with.
_SPARE = 2.0
_FEWEST, _MOST = 8, 400
# How full the room is on average after filling; see `Filler`.
_FULL = 0.95
# A room that does not hold all summaries is filled by a part of one in so many at least.
_FEW = 3
# Candidates at least, where a model sorts them: it finds what words and vectors put far down.
_POOL = 24
# What is left on average of what would fill the room, after the cut and after pruning by a compressor of words.
_STAYS, _NEEDED = 0.8, 0.45
# Tokens that are left where sentences are pruned to what is needed: that does not grow with the room. 60 questions of
# seven data sets were left 234 in the median in a room of 682 and of 2,000 alike, 77 to 640 in nine of ten.
_LEFT = Range(60, 240, 680)


@dataclass(frozen=True, slots=True)
class Retrieve:
    """Find the passages a question needs and give the reader those, up to a token budget.

    What a retriever finds is sorted by a model that reads question and passage together, what is far behind is cut
    off, and the rest is pruned to the sentences that are needed (Provence, arXiv 2501.16214): one pass of the model
    that plays "ranker". Where none does, passages are read as they were found, whole, and the answer says so.

    Passages are taken best first until the room is full, and put in an order that keeps the best from the middle of the
    prompt, which models read least. The answer's `dropped` holds every passage and sentence in hand that was not read,
    with the reason, and what the retriever names of those it did not hand over: those that come with ragctx name the
    next ranks, ten at most. Where nothing at all is found (a question that shares no word with the documents, and no
    encoder), the documents' openings are read instead, and the answer says so.

    Attributes:
        tokens: most tokens of passages, headings included; by default a twelfth of the reader's window, but
            256 at least and 2,000 at most; never more than the window leaves.
        retriever: a registered name, or a `Retriever`.
        max_output: most tokens the answer may have.
        candidates: chunks to ask the retriever for; by default twice as many as fill the room, and 24 at least where
            a model sorts them.
        order: "edges" (best at both ends), "document", "score" (best first) or "rising" (best last).
        logprobs: ask for log-probabilities, for a confidence. templates: the texts of the prompt.
        rerank: sort and cut by a model; figures of one's own are a `Reranking`.
        prune: the registered compressor that narrows passages, or a `Compressor`; None reads them whole.

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
    rerank: bool | Reranking = True
    prune: str | Compressor | None = PROVENCE

    def __post_init__(self) -> None:
        if self.order not in ORDERS:
            raise ConfigError(f"no order is called {self.order!r}: there are {', '.join(ORDERS)}")
        if (self.tokens is not None and self.tokens < 1) or (self.candidates is not None and self.candidates < 1):
            raise ConfigError(
                f"retrieve needs room: tokens={self.tokens}, candidates={self.candidates}; give at least 1"
            )

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the retriever's index."""
        yield from finding.retriever(self.retriever).prepare(corpus, models)

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        """What `read` will spend.

        Where finding needs no model, the passages are found and counted, so the prompt is known to the token if the
        reader's counter is exact. Otherwise it follows from the chunks' mean length and the way the room is filled.
        What a ranker will leave of them cannot be known: what it left of others stands for it. Where it prunes
        sentences, nine prompts in ten are within the range; where it only cuts, all are.

        Raises:
            DoesNotFit: not even a prompt without passages fits the reader's window.
        """
        view = readable(question, corpus)
        reading = self._reading(models)
        filler = self._filler(question, view, models, reading)
        rewriting = line(question, models, self.templates)
        limit, searched = self._candidates(view, models), finding.with_history(question)
        found = finding.find_for_nothing(self.retriever, searched, corpus, view, limit, models)
        ahead = finding.preparing_notes(self.retriever, corpus, models) if view is corpus else ()
        told = found.notes if found else ahead
        notes = (*told, *self._lacking(models))
        prompt = self._typical(filler, view, models) if found is None else self._counted(filler, found, models)
        exact = models.reader.counter.exact and prompt.low == prompt.high
        if found is not None and question.history:
            prompt = Range(filler.tokens(()), prompt.expected, max(prompt.high, filler.ceiling.tokens or 0))
        guess = reading.estimate(question, prompt, rewriting, exact=exact, notes=notes)
        spared = finding.sparing(question, (filler.ceiling.tokens or 0) + reading.output, 1 + bool(rewriting))
        search = () if found else finding.search_line(self.retriever, spared, models, corpus, limit)
        return replace(guess, lines=(*guess.lines, *search, *self._ranking(question, found, limit, view, models)))

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        """Find, sort, prune, fill, answer.

        Raises:
            LimitError: window, budget or `tokens` leave no room for a single sentence.
        """
        view = readable(question, corpus)
        reading = self._reading(models)
        asked = yield from alone(question, models, self.templates)
        filler = self._filler(asked.question, view, models, reading, asked.spent)
        limit = self._candidates(view, models)
        taken = asked.spent + (filler.ceiling.tokens or 0) + reading.output
        searched = finding.sparing(asked.question, taken, 1 + bool(asked.notes))
        found = yield from finding.find(self.retriever, searched, corpus, view, limit, models)
        if spent := finding.searching(found):
            filler = self._filler(asked.question, view, models, reading, asked.spent + spent)
        needed = yield from self._narrowed(found, filler, models)
        return (yield from reading.answer(asked, self._filled(filler, needed), view, models, filler.ceiling))

    def _reading(self, models: Models) -> Reading:
        return Reading(self.name, self.templates, output_tokens(models.reader, self.max_output), self.logprobs)

    def _filler(self, question: Question, view: Corpus, models: Models, reading: Reading, spent: int = 0) -> Filler:
        """What fills the prompt; refuses when there is no room even for the question."""
        prompt = reading.prompt(question, view)
        ceiling = Ceiling.of(models.reader, reading.output, question, spent)
        bare = models.reader.counter.render(prompt.messages((), question))
        ceiling.check(bare)
        room = self.room(models)
        ceiling = ceiling.lowered(bare + room, f"{self.name}(tokens={room})", bare)
        return Filler(prompt, question, models.reader.counter, ceiling, view, partial(ordered, order=self.order))

    def _filled(self, filler: Filler, found: Context) -> Context:
        """What is read; a room that nobody asked for never refuses what the window would hold."""
        try:
            return filler.fill(found)
        except LimitError as error:
            if self.tokens is not None or type(error) is not LimitError:
                raise
            return fitted(filler, found)

    def _narrowed(self, found: Context, filler: Filler, models: Models) -> Work[Context]:
        """What is left after sorting, cutting and pruning."""
        if _summed_up(found):
            return found
        question, compressor = filler.question, self._pruner(models)
        ranked = Ranked(replace(found, notes=(*found.notes, *self._lacking(models))))
        if self._ranks(models):
            how = self.rerank if isinstance(self.rerank, Reranking) else Reranking()
            unified = compressor is not None and compressor.name == PROVENCE
            units = units_of(compressor, question, found, models) if compressor is not None and unified else ()
            ranked = yield from reranking.reranked(question, ranked.context, filler.corpus, how, units)
            if ranked.reply is None and unified:
                return ranked.context  # the same model failed a moment ago
        if compressor is None:
            return ranked.context
        room = filler.text_room(ranked.context.passages)
        narrow = yield from pruned(question, ranked, compressor, room, models)
        return replace(narrow, passages=finding.paged(narrow.passages, filler.corpus))

    def _pruner(self, models: Models) -> Compressor | None:
        return pruner(self.prune, models, self.room(models))

    def _ranks(self, models: Models) -> bool:
        return bool(self.rerank) and models.can(reranking.ROLE, "Rerank")

    def _lacking(self, models: Models) -> tuple[str, ...]:
        return lacking(models, rerank=bool(self.rerank), prune=named(self.prune) == PROVENCE)

    def room(self, models: Models) -> int:
        """Tokens of passages that are read at most, headings included."""
        window = models.reader.window
        return self.tokens or (_ROOM if window is None else max(_LEAST, min(_ROOM, window // _SHARE)))

    def _candidates(self, view: Corpus, models: Models) -> int:
        enough = math.ceil(_SPARE * self.room(models) / chunk_tokens(view, models.reader.counter))
        return self.candidates or min(_MOST, max(_POOL if self._ranks(models) else _FEWEST, enough))

    def _share(self, models: Models) -> float:
        """What is left, on average, of what would fill the room."""
        if self._pruner(models) is not None:
            return _NEEDED
        return _STAYS if self._ranks(models) else 1.0

    def _counted(self, filler: Filler, found: Context, models: Models) -> Range:
        """The prompt's range from the passages that were found."""
        filled = self._filled(filler, found)
        prompt, bare = filler.tokens(filled.passages), filler.tokens(())
        share = 1.0 if _summed_up(found) else self._share(models)
        if share == 1.0:
            return Range.exactly(prompt)
        most = filler.ceiling.tokens or prompt
        if len(filled.dropped) == len(found.dropped):  # all of it fits, and apart it may take more headings
            most = min(most, bare + filler.apart(found.passages))
        return self._left(bare, share, prompt - bare, max(prompt, most) - bare)

    def _typical(self, filler: Filler, view: Corpus, models: Models) -> Range:
        """The prompt's range from the corpus's mean chunk and the room."""
        bare, most = filler.tokens(()), filler.ceiling.tokens or 0
        chunks = min(self._candidates(view, models), len(view.chunks))
        if (handed := finding.handed(self.retriever, view, self._candidates(view, models), models)) is not None:
            room, low = most - bare, min(handed.low, (most - bare) / _FEW)
            return Range(bare + low, bare + max(low, min(handed.expected, _FULL * room)), bare + min(room, handed.high))
        there = chunks * chunk_tokens(view, models.reader.counter)
        expected = min(there, _FULL * (most - bare))
        share = self._share(models)
        sure = self.retriever in finding.RANK_ALL and share == 1.0
        least = least_filled(view, models.reader.counter, chunks, most - bare) if sure else 0.0
        if share == _NEEDED:
            return self._left(bare, share, expected, most - bare)
        return Range(bare + min(least, expected), bare + share * expected, most)

    def _left(self, bare: int, share: float, filled: float, most: float) -> Range:
        """The prompt's range once so many tokens of passages are pruned; see `_LEFT`."""
        if share != _NEEDED or named(self.prune) != PROVENCE:
            return Range(bare, bare + share * filled, bare + most)
        least = _LEFT.low if filled >= _LEFT.high else 0
        return Range(bare + least, bare + min(share * filled, _LEFT.expected), bare + min(most, _LEFT.high))

    def _ranking(
        self, question: Question, found: Context | None, limit: int, view: Corpus, models: Models
    ) -> tuple[Line, ...]:
        """What the ranker reads."""
        prunes = named(self.prune) == PROVENCE and self._pruner(models) is not None
        if (not self._ranks(models) and not prunes) or (found is not None and _summed_up(found)):
            return ()
        return (reranking.line(question, found, limit, view, models),)


def _summed_up(found: Context) -> bool:
    """Whether a retriever handed over summaries: those are read as they are, since each stands for many passages."""
    return any(passage.derived for passage in found.passages)
