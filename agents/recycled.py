"""DoubleDipper: demonstrations made from the very context that is read (Cattan et al. 2024, arXiv 2406.13632).

A few of the context's own paragraphs are each turned into a question and its answer by a small call. They are shown
after the context, in document order, each naming its paragraph first: the model sees how questions on just these texts
are answered, and to look for the place before it answers. Prompted here as there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import ClassVar, cast

from ragctx.agents.gathered import Gathered
from ragctx.agents.recycling import AROUND, PAIR, PAIRED, Recycling, affordable, paragraphs, taken_apart, unread
from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError, RequestFailed
from ragctx.models import Models
from ragctx.prompts import Templates, shipped
from ragctx.strategies import finding
from ragctx.strategies.answering import EXPECTED_OUTPUT
from ragctx.strategies.chunk_sizes import chunk_tokens
from ragctx.strategies.concluding import concluded
from ragctx.strategies.limits import output_tokens, readable
from ragctx.strategies.purse import Purse
from ragctx.strategies.standalone import MOST, alone, line
from ragctx.types import Answer, Context, Dropped, Estimate, Line, Question, Range
from ragctx.work import Completion, Failure, Work, ask

_MARKS = re.compile(r"\[[\d,; -]*\]")
_OVER = "over the token budget"
# How full the room is on average where passages cannot be counted beforehand.
_FULL = 0.95


@dataclass(frozen=True, slots=True)
class RecycledDemonstrations:
    r"""Show questions and answers made from the same context, each naming its paragraph, then ask the question.

    The paragraphs that are turned into demonstrations hang on the documents alone and not on the question, and so do
    the calls: with a reply cache they are paid for once. A pair whose answer its paragraph does not hold is dropped,
    and so is one that asks what is asked now. The context is all documents where they fit `tokens`, otherwise those
    paragraphs and what a search finds. Nothing streams, since the numbers before the answer are taken off.

    Attributes:
        shots: demonstrations. seed: which paragraphs are taken for them.
        tokens: most tokens of passages; by default a twelfth of the reader's window, but 256 at least and 2,000 at
            most.
        retriever: a registered name, or a `Retriever`.
        max_output: most tokens the answer may have, with the numbers before it.
        logprobs: ask for log-probabilities, for a confidence. templates: for the refusal.

    Raises:
        ConfigError: an option makes no sense, or the question wants data.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.work import run
        >>> corpus = Corpus.of("The notice period of the lease is three months.", "Rent is due in May of every year.")
        >>> said = {"recycle": "When is rent due?\nAnswer: in May", "answer": "[1]\nAnswer: Three months."}
        >>> work = RecycledDemonstrations(shots=2).read(
        ...     Question("How long is the notice period?"), corpus, Models({"reader": ModelFacts("m")}))
        >>> answer = run(work, lambda requests: [Completion(said[request.purpose]) for request in requests])
        >>> answer.text, answer.citations[0].source, answer.notes
        ('Three months.', 'text-1', ('1 of 2 demonstrations is shown: the others could not be made or ask the same',))
    """

    name: ClassVar[str] = "recycled-demonstrations"

    shots: int = 3
    tokens: int | None = None
    retriever: str | Retriever = "hybrid"
    max_output: int = 256
    seed: int = 0
    logprobs: bool = False
    templates: Templates = field(default_factory=shipped)

    def __post_init__(self) -> None:
        if self.shots < 0 or (self.tokens is not None and self.tokens < 1) or self.max_output < 1:
            raise ConfigError(
                f"{self.name} cannot read with shots={self.shots}, tokens={self.tokens}, max_output={self.max_output}: "
                "shots is at least 0, the others at least 1"
            )

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the retriever's index."""
        yield from finding.retriever(self.retriever).prepare(corpus, models)

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        """What `read` will spend: the small calls and the context are counted, the pairs are of the usual length.

        Raises:
            LimitError: not even a prompt without passages fits.
        """
        made = self._made(question, readable(question, corpus), models)
        made.check(Purse.of(question, models.reader))
        small, k, bare = sum(made.small), len(made.chosen), made.count(())
        searched, gathered = finding.with_history(question), self._gathered(corpus, made.view, models)
        found = Context() if made.whole else self._searched(searched, gathered)
        most = made.most() + made.reserved()
        if found is None:
            there = gathered.limit * chunk_tokens(made.view, models.reader.counter)
            context = max(made.count(made.chosen), bare + min(_FULL * (made.most() - bare), there))
        else:
            context = made.count(made.filled(found.passages))
            most = most if question.history else min(most, context + made.reserved())
        expected = min(most, context + k * (PAIRED + AROUND))
        low = min(expected, context if found is not None and not question.history else bare)
        prompt = Range(small + low, small + expected, small + most + (MOST if question.history else 0))
        output = Range(1, PAIRED * k + min(EXPECTED_OUTPUT, made.output), PAIR * k + made.output)
        reading = Line("reader", prompt, output, Range.exactly(k + 1))
        search = gathered.search(question) if found is None else ()
        return Estimate((*line(question, models, self.templates), reading, *search))

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        """Make demonstrations, gather the context, ask for numbers and answer.

        Raises:
            LimitError: window or budget leave no room.
        """
        view = readable(question, corpus)
        self._made(question, view, models).check(Purse.of(question, models.reader))
        asked = yield from alone(question, models, self.templates)
        made, purse = self._made(asked.question, view, models, asked.spent), Purse.after(asked, models.reader)
        made.check(purse)
        found = Context()
        if not made.whole:
            found = yield from self._gathered(corpus, view, models).found(asked.question)
        passages = made.filled(found.passages)
        requests = made.requests()
        replies = (yield requests) if requests else ()
        for reply in replies:
            purse.paid(cast("Completion | Failure", reply))
        pairs = made.pairs(replies, passages)
        completion = yield from ask(made.last(passages, pairs, logprobs=self.logprobs))
        text, evidence = taken_apart(completion.text)
        if not _MARKS.sub("", text).strip(" .,;:\n"):
            raise RequestFailed("empty", "the model named texts and said nothing: use a larger model")
        short = self._told(len(pairs), len(requests))
        over = tuple(Dropped(span, _OVER) for span in unread(found.passages, passages))
        return concluded(
            asked, replace(completion, text=text), passages, view, self.name, self.templates,
            (*found.notes, *short), evidence=evidence, dropped=(*found.dropped, *over),
        )  # fmt: skip

    def _told(self, shown: int, made: int) -> tuple[str, ...]:
        """A note where fewer demonstrations are shown than were asked for."""
        few = (f"{made} of {self.shots} demonstrations were made: the room holds no more",) if made < self.shots else ()
        are = "is" if shown == 1 else "are"
        short = f"{shown} of {made} demonstrations {are} shown: the others could not be made or ask the same"
        return (*few, short) if shown < made else few

    def _searched(self, question: Question, gathered: Gathered) -> Context | None:
        """What will be found, where finding asks no model."""
        return finding.find_for_nothing(
            self.retriever, question, gathered.corpus, gathered.view, gathered.limit, gathered.models
        )

    def _gathered(self, corpus: Corpus, view: Corpus, models: Models) -> Gathered:
        return Gathered(self.retriever, corpus, view, models, self.tokens)

    def _made(self, question: Question, view: Corpus, models: Models, spent: int = 0) -> Recycling:
        if question.answer_type is not None:
            raise ConfigError(
                f"{self.name} answers in words, after the number of a text: for an answer_type use full, retrieve, "
                "compress or quote-then-answer"
            )
        room = self._gathered(view, view, models).room
        chosen = paragraphs(view, affordable(view, models, room, self.shots), self.seed)
        output = output_tokens(models.reader, self.max_output)
        return Recycling(question, view, models, chosen, room, output, self.templates.refusal, spent)
