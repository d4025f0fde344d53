"""Self-Route (Li et al., EMNLP 2024 industry track, arXiv 2407.16833): retrieve, and read everything on a refusal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from ragctx.agents.attempts import Attempt, Step, Watch, attempted, most_read
from ragctx.agents.stairs import stairs
from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.errors import LimitError
from ragctx.models import Models
from ragctx.prompts import Templates, shipped
from ragctx.strategies.full import Full
from ragctx.strategies.retrieve import Retrieve
from ragctx.strategies.standalone import alone
from ragctx.types import Answer, Estimate, Question
from ragctx.work import Work

# The paper's retrieval answers 57 to 77 of 100 questions, by model; this share is left for the whole text.
_REFUSED = 0.32
_NOT_READ = "the refusal stands: the whole text could not be read"


@dataclass(frozen=True, slots=True)
class SelfRoute:
    """Retrieve and let the model decline; where it does, give it the whole text.

    The published method as a baseline, with our retrieval and our prompts. It has a known weakness that `escalate` is
    made against: readers decline mostly where the documents do not say, and given everything they then invent an answer
    to a fifth up to two fifths of those questions (counted in LaRA's released predictions, arXiv 2502.09977).

    Where the whole text does not fit window or budget the refusal stands, and a note says so; the paper cuts the text.

    Attributes:
        tokens: of passages; the paper's five chunks of 300 words are about 2,000, the default of `retrieve` at most.
        retriever: a registered name, or a `Retriever`.
        max_output: most tokens of an answer. templates: the prompt's texts.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.work import Completion, run
        >>> corpus = Corpus.of("The notice period is three months.")
        >>> says = iter(["Not in the documents.", "Three months. [1]"])
        >>> work = SelfRoute().read(Question("How long is the notice?"), corpus, Models({"reader": ModelFacts("m")}))
        >>> answer = run(work, lambda requests: [Completion(next(says))])
        >>> answer.text, answer.notes[0]
        ('Three months.', 'retrieve found no answer; full read everything')
    """

    name: ClassVar[str] = "self-route"

    tokens: int | None = None
    retriever: str | Retriever = "hybrid"
    max_output: int = 256
    templates: Templates = field(default_factory=shipped)

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the retriever's index."""
        yield from self._first.prepare(corpus, models)

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        """At least the retrieval, at most that and the whole text."""
        first = self._first.estimate(question, corpus, models)
        try:
            later = [self._second.estimate(replace(question, history=()), corpus, models)]
        except LimitError as error:
            return stairs(first, [], (), question.budget, [f"a refusal will stand: {error}"])
        return stairs(first, later, (_REFUSED,), question.budget, ())

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        """Retrieve; on a refusal, read everything.

        Raises:
            LimitError: not even the retrieval's prompt is within window and budget.
        """
        asked = yield from alone(question, models, self.templates)
        watch = Watch(models, asked.spent, min(1, len(asked.notes)))
        try:
            step = Step("retrieve", self._first)
            first = yield from attempted(step, asked.question, corpus, models, watch, last=False)
        except LimitError as error:
            if type(error) is not LimitError:
                raise  # window or budget: the whole text is longer still
            work = attempted(Step("full", self._second), asked.question, corpus, models, watch, last=True)
            return self._account([(yield from work)], f"full read everything: {error}", asked.notes)
        if first.answer.answerable:
            return self._account([first], "retrieve answered", asked.notes)
        step = Step("full", self._second, "full")
        try:
            second = yield from attempted(step, asked.question, corpus, models, watch, last=True)
        except LimitError as error:
            return self._account([first], f"{_NOT_READ} ({error})", asked.notes)
        return self._account([first, second], "retrieve found no answer; full read everything", asked.notes)

    @property
    def _first(self) -> Retrieve:
        return Retrieve(
            self.tokens, self.retriever, self.max_output, templates=self.templates, rerank=False, prune=None
        )

    @property
    def _second(self) -> Full:
        return Full(self.max_output, templates=self.templates)

    def _account(self, tried: Sequence[Attempt], told: str, notes: Sequence[str]) -> Answer:
        answer = tried[-1].answer
        coverage = most_read([attempt.answer.coverage for attempt in tried])
        return replace(answer, strategy=self.name, coverage=coverage, notes=(told, *notes, *answer.notes))
