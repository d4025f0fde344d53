"""Quote, then answer: verbatim quotes first, a gate that drops invented ones, an answer from the quotes alone.

After ALR2 (Li et al. 2024, arXiv 2410.03227), where one model was trained for both steps and where the share of quotes
that stand nowhere in the source told how far it could be trusted. Prompted form; inherits no published gain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

from ragctx.agents.gathered import Gathered, Tasked, with_notes
from ragctx.agents.items import said
from ragctx.agents.places import placed
from ragctx.agents.verbatim import Source
from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.errors import BudgetSpent, ConfigError
from ragctx.grounding import grounded
from ragctx.models import Models
from ragctx.prompts import Prompt, Templates, shipped
from ragctx.prompts.tasks import Task
from ragctx.prompts.texts import texts
from ragctx.strategies import finding
from ragctx.strategies.answering import EXPECTED_OUTPUT, Reading
from ragctx.strategies.filling import Filler, fitted
from ragctx.strategies.limits import Ceiling, output_tokens, readable
from ragctx.strategies.ordering import ordered
from ragctx.strategies.purse import Purse
from ragctx.strategies.standalone import Asked, alone, line
from ragctx.types import Answer, Context, Estimate, Line, Passage, Question, Range, Span
from ragctx.work import Completion, Generate, Sampling, Work, ask

_FILE = Path(__file__).with_name("texts") / "quoting.toml"
_SLOTS = {"quote": ("QUESTION",)}
# Quotes are expected to take so many tokens, and their whole sentences with headings this many times as much at most.
_QUOTED, _WHOLE = 60, 2
_HEADING = 40
# Characters of a sentence that is read whole for a quote of it.
_LONGEST = 1500
SILENT = "the model quoted nothing that helps to answer: it was not asked for an answer"
_DOCUMENT = partial(ordered, order="document")
# Models shorten what they quote.
_GAP = re.compile(r"\s*(?:\.{3,}|\u2026|\[\.\.\.\])\s*")


@dataclass(frozen=True, slots=True)
class QuoteThenAnswer:
    r"""Ask for the sentences that help, drop those that the documents do not hold, answer from the rest alone.

    The first call reads all documents where they fit `tokens`, otherwise what a search finds. A quote counts where 0.9
    of its characters, and all of its figures, stand in the source; what the second call reads is the source's own
    sentences. Where nothing is left, the answer is that the documents do not say. A note tells the share of quotes that
    were invented.

    Attributes:
        tokens: most tokens of passages in the first call; by default a twelfth of the reader's window, but 256 at least
            and 2,000 at most.
        quotes: most tokens of quotes.
        retriever: a registered name, or a `Retriever`.
        max_output: most tokens the answer may have.
        logprobs: ask for log-probabilities, for a confidence. templates: the texts of the answering prompt.

    Raises:
        ConfigError: an option makes no sense.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.work import Completion, run
        >>> corpus = Corpus.of("Rent is due in May. The notice period is three months.", "Pets are welcome.")
        >>> replies = iter(["The notice period is three months.\nIt may be waived.", "Three months [1]."])
        >>> asked, models = Question("How long is the notice?"), Models({"reader": ModelFacts("m")})
        >>> work = QuoteThenAnswer().read(asked, corpus, models)
        >>> answer = run(work, lambda requests: [Completion(next(replies))])
        >>> answer.text, answer.citations[0].text, answer.notes[0]
        ('Three months.', 'The notice period is three months.', '1 of 2 quotes (50 %) stand nowhere in the documents')
    """

    name: ClassVar[str] = "quote-then-answer"

    tokens: int | None = None
    quotes: int = 256
    retriever: str | Retriever = "hybrid"
    max_output: int = 256
    logprobs: bool = False
    templates: Templates = field(default_factory=shipped)

    def __post_init__(self) -> None:
        if (self.tokens is not None and self.tokens < 1) or self.quotes < 1 or self.max_output < 1:
            raise ConfigError(
                f"{self.name} needs room: tokens={self.tokens}, quotes={self.quotes}, max_output={self.max_output}"
            )

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the retriever's index."""
        yield from finding.retriever(self.retriever).prepare(corpus, models)

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        """What `read` will spend: the first prompt counted or reckoned, the second from the usual length of quotes.

        Raises:
            LimitError: not even a prompt without passages fits.
        """
        two = self._two(question, readable(question, corpus), models)
        first, search = self._gathered(corpus, two.view, models).planned(question, two.first())
        quoted = min(_QUOTED + _HEADING, two.room)
        second = Range(0, two.bare + quoted, two.bare + two.room)
        output = Range(0, min(_QUOTED, two.quoting) + min(EXPECTED_OUTPUT, two.output), two.quoting + two.output)
        if question.answer_type is not None:
            second = Range(0, second.expected, 2 * second.high + two.output + _HEADING)
            output = replace(output, high=output.high + two.output)
        calls = Range(1, 2, 3 if question.answer_type else 2)
        reading = Line("reader", first + second, output, calls)
        return Estimate((*line(question, models, self.templates), reading, *search))

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        """Quote, look up, answer.

        Raises:
            LimitError: window or budget leave no room for both calls.
        """
        view = readable(question, corpus)
        self._two(question, view, models).check(Purse.of(question, models.reader))
        asked = yield from alone(question, models, self.templates)
        two, purse = self._two(asked.question, view, models, asked.spent), Purse.after(asked, models.reader)
        two.check(purse)
        context = yield from self._gathered(corpus, view, models).context(asked.question, two.first())
        completion = yield from ask(two.request(context))
        purse.paid(completion)
        evidence, note = verified(completion.text, context, view)
        if not evidence:
            said_nothing = replace(completion, text=self.templates.refusal, logprobs=(), finish="stop")
            none = with_notes(context, note)
            return grounded(
                asked.question, self.name, said_nothing, none, view, templates=self.templates, notes=asked.notes
            )
        answer = yield from self._answered(asked, evidence, two, purse, models)
        notes = (*context.notes, *answer.notes, *filter(None, [note]))
        covered = view.coverage(context.spans)
        return replace(answer, coverage=covered, dropped=(*context.dropped, *answer.dropped), notes=notes)

    def _answered(
        self, asked: Asked, evidence: Sequence[Passage], two: _Two, purse: Purse, models: Models
    ) -> Work[Answer]:
        """The answer from the quotes; the quotes themselves where the budget ends before it."""
        filler = two.second(purse.spent)
        context = fitted(filler, Context(tuple(evidence)))
        try:
            return (yield from two.reading.answer(asked, context, two.view, models, filler.ceiling))
        except BudgetSpent:
            if asked.question.answer_type is not None:
                raise
            text = Completion(" ".join(passage.text for passage in context.passages))
            told = (*asked.notes, "the budget was spent before the answer was written: these are the quotes for it")
            return grounded(asked.question, self.name, text, context, two.view, templates=self.templates, notes=told)

    def _gathered(self, corpus: Corpus, view: Corpus, models: Models) -> Gathered:
        return Gathered(self.retriever, corpus, view, models, self.tokens)

    def _two(self, question: Question, view: Corpus, models: Models, spent: int = 0) -> _Two:
        output = output_tokens(models.reader, self.max_output)
        reading = Reading(self.name, self.templates, output, self.logprobs)
        room = self._gathered(view, view, models).room
        return _Two(question, view, models, reading, output_tokens(models.reader, self.quotes), room, spent)


@dataclass(frozen=True, slots=True)
class _Two:
    """The two calls of one question, and what each may take.

    Attributes:
        quoting: most tokens of quotes. passages: most tokens of passages in the first call.
        spent: tokens the question was billed before.
    """

    question: Question
    view: Corpus
    models: Models
    reading: Reading
    quoting: int
    passages: int
    spent: int = 0

    @property
    def output(self) -> int:
        return self.reading.output

    @property
    def room(self) -> int:
        """Most tokens of evidence in the second call."""
        return _WHOLE * self.quoting + _HEADING

    @property
    def bare(self) -> int:
        """Tokens of the second prompt without evidence."""
        return self._count(self.reading.prompt(self.question, self.view))

    def check(self, purse: Purse) -> None:
        """Refuse what holds not even prompts without passages, before anything is spent."""
        first = self._count(self._task())
        purse.facts.must_fit(first, self.quoting)
        purse.facts.must_fit(self.bare, self.output)
        purse.check_all([(first, self.quoting), (self.bare + self.room, self.output)])

    def first(self) -> Filler:
        """What fills the first prompt; the second call's tokens are set aside."""
        aside = self.spent + self.bare + self.room + self.output
        return self._filler(self._task(), self.quoting, aside, self.passages)

    def second(self, spent: int) -> Filler:
        """What fills the second prompt."""
        return self._filler(self.reading.prompt(self.question, self.view), self.output, spent, self.room)

    def request(self, context: Context) -> Generate:
        """The quoting call."""
        messages = self._task().messages(context.passages, self.question)
        return Generate(messages, purpose="quote", sampling=Sampling(max_tokens=self.quoting))

    def _filler(self, prompt: Prompt, output: int, spent: int, room: int) -> Filler:
        bare = self._count(prompt)
        ceiling = Ceiling.of(self.models.reader, output, self.question, spent)
        ceiling.check(bare)
        ceiling = ceiling.lowered(bare + room, f"{self.reading.strategy}(tokens={room})", bare)
        return Filler(prompt, self.question, self.models.reader.counter, ceiling, self.view, _DOCUMENT)

    def _task(self) -> Tasked:
        manifest = self.view.manifest
        return Tasked(self.reading.templates, manifest, task=Task(texts(_FILE, _SLOTS), manifest), name="quote")

    def _count(self, prompt: Prompt) -> int:
        return self.models.reader.counter.render(prompt.messages((), self.question))


def verified(reply: str, context: Context, view: Corpus) -> tuple[list[Passage], str]:
    """The source sentences that a reply's quotes stand for, a passage a document; and a note on invented ones.

    Args:
        reply: quotes, one a line.
        context: what was read.
        view: where sentences are looked up.
    """
    quotes = [part for raw in said(reply).items for part in _GAP.split(raw.quote or raw.name) if part.strip(" .\"'")]
    sources = [(Source(passage.text), passage) for passage in context.passages]
    # A figure alone stands somewhere in any text: it is no quote of a sentence.
    found = [_found(quote, sources) if any(map(str.isalpha, quote)) else () for quote in quotes]
    units = sorted({_unit(span, view) for spans in found for span in spans[:1]})
    passages = [view.passage(*group) for group in _by_document(units)]
    invented = sum(not spans for spans in found)
    share = round(100 * invented / len(quotes)) if quotes else 0
    note = f"{invented} of {len(quotes)} quotes ({share} %) stand nowhere in the documents" if invented else ""
    return passages, note or ("" if quotes else SILENT)


def _found(quote: str, sources: Sequence[tuple[Source, Passage]]) -> tuple[Span, ...]:
    matches = [(match, passage) for source, passage in sources if (match := source.find(quote)) is not None]
    if not matches:
        return ()
    match, passage = max(matches, key=lambda pair: pair[0].ratio)
    return passage.narrowed([(match.start, match.end)]).spans


def _unit(span: Span, view: Corpus) -> Span:
    """The sentence or the row that holds a quote; the quote alone where that has no end."""
    unit = placed(span, view).unit
    return unit if len(unit) <= _LONGEST else span


def _by_document(spans: Sequence[Span]) -> list[list[Span]]:
    groups: dict[str, list[Span]] = {}
    for span in spans:
        group = groups.setdefault(span.document, [])
        if not group or group[-1].end <= span.start:
            group.append(span)
    return list(groups.values())
