"""Read everything, or a wide search's findings, compressed to a token budget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import ClassVar, cast, get_args

from ragctx.contracts import Compressor, Costed, Recovering, Retriever
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError
from ragctx.models import Models
from ragctx.prompts import Prompt, Templates, shipped
from ragctx.registry import make
from ragctx.strategies import finding
from ragctx.strategies.answering import Origin, Reading
from ragctx.strategies.evidence import widened
from ragctx.strategies.filling import Filler
from ragctx.strategies.gathering import Gathering, Unit, joined
from ragctx.strategies.limits import Ceiling, output_tokens, readable
from ragctx.strategies.ordering import by_score
from ragctx.strategies.squeezing import Squeeze, Squeezed
from ragctx.strategies.standalone import alone, line
from ragctx.types import Answer, Context, Estimate, Line, Passage, Question, Range
from ragctx.types.costs import UNMETERED_ROLES
from ragctx.work import Work

# Below some hundred tokens too little is left of anything to be read.
_LEAST = 256
# How full the room is on average: a compressor fills its budget, and what headings leave is given back.
_FULL = 0.985
# Counts of documents and of the prompt that holds them differ by this share.
_SEAMS = 0.02
# Documents whose names are counted for all of them.
_NAMES = 64
NOTHING = "the compressor left nothing: the passages were read as they were, as many as fit"


@dataclass(frozen=True, slots=True)
class Compress:
    """Read everything, or a wide search's findings, compressed to a token budget.

    What a question may read is handed to a compressor: all of it where it has at most `source` tokens, otherwise what
    a search finds, that wide. The compressor keeps what the question needs of it, and the reader is given that in the
    documents' own words: every kept piece knows its place, so that citations name whole sentences of the source and
    coverage tells how much of each document was seen. Where a compressor drops single words, and can put them back,
    what the answer copies reads as in the source.

    The prompt is filled: whatever the budget leaves when documents drop out, with their headings, is used for more
    text. So it is known before, within a few percent, what the reader will be billed.

    Attributes:
        compressor: a registered name, or a `Compressor`. By default the one whose model is in the package, which keeps
            whole sentences.
        retriever: searches documents that are longer than `source`; None takes them all, however long they are.
        share: of what is handed to the compressor, how much is read; 0 to 1. A share below some hundred tokens is
            raised to that.
        tokens: most tokens of passages, headings included, in place of `share`. Never more than what the reader's
            window and the question's budget leave.
        source: tokens that are handed to the compressor at most, by the reader's counter.
        unit: what the compressor sees as one passage where everything is taken: "chunk" or "document".
        max_output: most tokens the answer may have.
        logprobs: ask for log-probabilities, for a confidence. templates: the texts of the prompt.

    Raises:
        ConfigError: an option makes no sense.

    Example:
        >>> from ragctx.readers.scripted import Rule, Scripted
        >>> from ragctx.work import run
        >>> model = Scripted([Rule("rent", "Ten crowns [1].")])
        >>> models = Models({"reader": model.facts, "ranker": model.facts})
        >>> corpus = Corpus.of({"lease": "Pets are fine. " * 90 + "The rent is ten crowns. " + "Keys are two. " * 90})
        >>> work = Compress("provence", tokens=40).read(Question("What is the rent?"), corpus, models)
        >>> answer = run(work, lambda requests: model.serve(requests, lambda i, text: None))
        >>> answer.text, answer.citations[0].text, round(answer.coverage[0].share, 2)
        ('Ten crowns.', 'The rent is ten crowns.', 0.04)
    """

    name: ClassVar[str] = "compress"

    compressor: str | Compressor = "provence"
    retriever: str | Retriever | None = "bm25"
    share: float = 0.25
    tokens: int | None = None
    source: int = 8000
    unit: Unit = "chunk"
    max_output: int = 256
    logprobs: bool = False
    templates: Templates = field(default_factory=shipped)

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"compress(share={self.share}) is no share: give more than 0, and 1 at most")
        if self.source < 1 or (self.tokens is not None and self.tokens < 1):
            raise ConfigError(f"compress needs room: tokens={self.tokens}, source={self.source}; give at least 1")
        if self.unit not in get_args(Unit):
            raise ConfigError(f"no unit is called {self.unit!r}: there are {', '.join(get_args(Unit))}")

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the retriever's index, where a search is needed."""
        if self.retriever is not None and not self._gathering.takes_all(corpus, models.reader):
            yield from finding.retriever(self.retriever).prepare(corpus, models)

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        """What `read` will spend; the compressor's own requests are lines of their own.

        Raises:
            DoesNotFit: not even a prompt without passages fits the reader's window. ConfigError: nobody plays the role
                that the compressor needs.
        """
        view = readable(question, corpus)
        reading = self._reading(models)
        prompt = reading.prompt(question, view)
        rewriting = line(question, models, self.templates)
        size = self._gathering.size(question, corpus, view, models)
        own = self._own(size.text, size.passages, question, models)
        ceiling = self._ceiling(prompt, question, size.text, models, reading, _billed(own or ()))
        bare, most = ceiling.bare, ceiling.tokens or 0
        whole = bare + size.text + self._headings(prompt, view, size.documents, models)
        if whole <= most:
            own = ()
            tokens = Range(max(bare, whole * (1 - _SEAMS)), whole, whole * (1 + _SEAMS))
        else:
            tokens = Range(bare, bare + _FULL * (most - bare), most)
        told = (f"what {self._compressor.name} asks of models is not in this plan: it does not say",) * (own is None)
        guess = reading.estimate(question, tokens, rewriting, exact=False, notes=(*size.notes, *told))
        search: tuple[Line, ...] = ()
        if self.retriever and not size.known:
            limit = self._gathering.limit(view, models.reader)
            search = finding.search_line(self.retriever, question, models, corpus, limit)
        return replace(guess, lines=(*guess.lines, *search, *(own or ())))

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        """Gather, compress, answer.

        Raises:
            LimitError: window, budget or `tokens` leave no room. ConfigError: nobody plays the role that the compressor
                needs.
        """
        view = readable(question, corpus)
        reading = self._reading(models)
        bare = reading.prompt(question, view)
        Ceiling.of(models.reader, reading.output, question).check(self._rendered(bare, question, (), models))
        asked = yield from alone(question, models, self.templates)
        source = yield from self._gathering.source(asked.question, corpus, view, models)
        squeezed, ceiling = yield from self._squeezed(asked.question, source, view, models, reading, asked.spent)
        origin = Origin(widened(squeezed.context, source, view), lambda text: self._recovered(text, source, squeezed))
        return (yield from reading.answer(asked, squeezed.context, view, models, ceiling, origin))

    @property
    def _gathering(self) -> Gathering:
        return Gathering(self.retriever, self.source, self.unit)

    @property
    def _compressor(self) -> Compressor:
        chosen = self.compressor
        return cast("Compressor", make("compressors", chosen)) if isinstance(chosen, str) else chosen

    def _reading(self, models: Models) -> Reading:
        return Reading(self.name, self.templates, output_tokens(models.reader, self.max_output), self.logprobs)

    def _room(self, text: float) -> int:
        """Tokens of passages and headings that are wanted of a source of so many."""
        return self.tokens or max(_LEAST, math.ceil(self.share * text))

    def _rendered(self, prompt: Prompt, question: Question, passages: Sequence[Passage], models: Models) -> int:
        return models.reader.counter.render(prompt.messages(passages, question))

    def _ceiling(
        self, prompt: Prompt, question: Question, text: float, models: Models, reading: Reading, spent: int
    ) -> Ceiling:
        """The most prompt tokens for a source of so many; refuses where there is no room even for the question."""
        ceiling = Ceiling.of(models.reader, reading.output, question, spent)
        bare = self._rendered(prompt, question, (), models)
        ceiling.check(bare)
        room = self._room(text)
        return replace(ceiling.lowered(bare + room, f"compress(tokens={room})", bare), bare=bare)

    def _squeezed(
        self, question: Question, source: Context, view: Corpus, models: Models, reading: Reading, spent: int
    ) -> Work[tuple[Squeezed, Ceiling]]:
        """What is read, and the ceiling it was made for."""
        prompt, counter = reading.prompt(question, view), models.reader.counter

        def tokens(passages: Sequence[Passage]) -> int:
            return self._rendered(prompt, question, passages, models)

        text = counter.count("\n\n".join(passage.text for passage in source.passages))
        own = self._own(text, len(source.passages), question, models) or ()
        ceiling = self._ceiling(prompt, question, text, models, reading, spent + _billed(own))
        whole = replace(source, passages=joined(source.passages, view))
        most = ceiling.tokens or 0
        if tokens(whole.passages) <= most:
            return Squeezed(whole, source), ceiling
        squeezed = yield from Squeeze(self._compressor, question, view, models, most, tokens).run(source)
        if squeezed.context.passages:
            return squeezed, ceiling
        # Nothing reached a threshold, or the room is too small for a compressor: better to read something.
        filled = Filler(prompt, question, counter, ceiling, view, by_score).fill(source)
        notes = dict.fromkeys((*squeezed.context.notes, *filled.notes, NOTHING))
        return Squeezed(replace(filled, notes=tuple(notes)), source), ceiling

    def _recovered(self, text: str, source: Context, squeezed: Squeezed) -> str:
        compressor = self._compressor
        return compressor.recover(text, source, squeezed.raw) if isinstance(compressor, Recovering) else text

    def _own(self, text: float, passages: int, question: Question, models: Models) -> tuple[Line, ...] | None:
        """What the compressor asks of models; None where it does not say."""
        compressor = self._compressor
        if not isinstance(compressor, Costed):
            return None
        asked = models.reader.counter.count(question.text)
        lines = compressor.estimate(math.ceil(text), passages, asked, self._room(text), models)
        for one in lines:
            models.of(one.role)  # says what to do where nobody plays it
        return lines

    def _headings(self, prompt: Prompt, view: Corpus, documents: int, models: Models) -> float:
        """Tokens of the lines above so many documents, from the names of the first ones."""
        names = [document.id for document in islice(view.documents, min(documents, _NAMES))]
        lines = [models.reader.counter.count(prompt.block(9, Passage("", (), name))) for name in names]
        return documents * sum(lines) / len(lines) if lines else 0.0


def _billed(lines: Sequence[Line]) -> int:
    """Tokens of language models that are set aside for a compressor's own requests."""
    metered = (line for line in lines if line.role not in UNMETERED_ROLES)
    return math.ceil(sum(line.prompt.high + line.output.high for line in metered))
