"""Give the reader every document, question last."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

from ragctx.corpus import Corpus
from ragctx.models import Models
from ragctx.prompts import Prompt, Templates, shipped
from ragctx.strategies.answering import Reading
from ragctx.strategies.limits import Ceiling, output_tokens, readable
from ragctx.strategies.standalone import alone, line
from ragctx.types import Answer, Estimate, Passage, Question, Range
from ragctx.work import Work

# No tokenizer of ours takes this many characters a token on average: a corpus over it cannot fit, without counting.
_NEVER = 40
# Up to here, in characters, a plan renders the whole prompt once for a corpus; over it, it adds up documents' counts.
_RENDERED = 2_000_000
# Documents counted one by one and the prompt as a whole may differ by this share where they meet.
_SEAMS = 0.02
_COSTS: dict[tuple[str, ...], int] = {}


@dataclass(frozen=True, slots=True)
class Full:
    """Give the reader every document, question last.

    All questions on one corpus share the prompt up to the end of the documents, so a prefix cache reads them once.
    Nothing is ever cut off: what does not fit the window or the question's budget is refused with the numbers, before
    any text is loaded where the corpus's token count already says so.

    Attributes:
        max_output: most tokens the answer may have. logprobs: ask for log-probabilities, for a confidence.
        templates: the texts of the prompt.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.work import Completion, run
        >>> corpus = Corpus.of("The notice period is three months.")
        >>> models = Models({"reader": ModelFacts("m")})
        >>> work = Full().read(Question("What is the notice period?"), corpus, models)
        >>> run(work, lambda requests: [Completion("Three months. [1]")]).text
        'Three months.'
    """

    name: ClassVar[str] = "full"

    max_output: int = 256
    logprobs: bool = False
    templates: Templates = field(default_factory=shipped)

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        """What `read` will spend, to the token where the reader's counter is exact.

        Raises:
            DoesNotFit: the documents are longer than the reader's window. BadQuestion: its filter admits nothing.
        """
        view = readable(question, corpus)
        reading = self._reading(models)
        ceiling = Ceiling.of(models.reader, reading.output, replace(question, budget=None))
        self._check_size(view, ceiling)
        prompt, exact = _prompt_tokens(reading.prompt(question, view), question, view, models)
        ceiling.check(prompt if exact else int(prompt * (1 - _SEAMS)))
        spread = 0.0 if exact else prompt * _SEAMS
        return reading.estimate(
            question,
            Range(prompt - spread, prompt, prompt + spread),
            line(question, models, self.templates),
            exact=exact and models.reader.counter.exact,
        )

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        """Answer from every document the question may read.

        Raises:
            DoesNotFit: the window is too small. BudgetSpent: the question's budget is.
        """
        view = readable(question, corpus)
        reading = self._reading(models)
        ceiling = Ceiling.of(models.reader, reading.output, question)
        self._check_size(view, ceiling)
        if ceiling.tokens is not None:
            ceiling.check(_at_least(reading.prompt(question, view), question, view, models))
        asked = yield from alone(question, models, self.templates)
        ceiling = Ceiling.of(models.reader, reading.output, question, asked.spent)
        return (yield from reading.answer(asked, view.everything(), view, models, ceiling))

    def _reading(self, models: Models) -> Reading:
        return Reading(self.name, self.templates, output_tokens(models.reader, self.max_output), self.logprobs)

    def _check_size(self, view: Corpus, ceiling: Ceiling) -> None:
        """Refuse what is far too long at once: counting a gigabyte to refuse it would take minutes."""
        if ceiling.tokens is not None and view.characters > _NEVER * max(ceiling.tokens, 1):
            ceiling.refuse(view.characters // 4)


def _prompt_tokens(prompt: Prompt, question: Question, view: Corpus, models: Models) -> tuple[int, bool]:
    """Tokens of the whole prompt, and whether they are those of the rendered one.

    The documents' part is rendered once for a corpus and kept; the question's part is rendered every time. The two
    meet in fixed text of the template, so they add up.
    """
    if view.characters > _RENDERED:
        return _added_up(prompt, question, view, models), False
    counter = models.reader.counter
    bare = counter.render(prompt.messages((), question))
    key = (view.manifest, repr(question.where), counter.name, models.reader.identity, prompt.templates.digest)
    if key not in _COSTS:
        if len(_COSTS) > 256:
            _COSTS.clear()
        _COSTS[key] = counter.render(prompt.messages(view.everything().passages, question)) - bare
    return bare + _COSTS[key], True


def _added_up(prompt: Prompt, question: Question, view: Corpus, models: Models) -> int:
    """Tokens of the prompt from counts the corpus keeps, without loading any text."""
    heads = _heading(prompt, "folder/document.txt", models)
    bare = models.reader.counter.render(prompt.messages((), question))
    return bare + view.tokens(models.reader) + heads * len(view.documents)


def _at_least(prompt: Prompt, question: Question, view: Corpus, models: Models) -> int:
    """A count the rendered prompt will not be under: what it refuses would be refused after loading, too."""
    heads = _heading(prompt, "", models) - 2
    bare = models.reader.counter.render(prompt.messages((), question))
    return int((bare + view.tokens(models.reader)) * (1 - _SEAMS)) + heads * len(view.documents)


def _heading(prompt: Prompt, source: str, models: Models) -> int:
    return models.reader.counter.count(prompt.block(1, Passage("", (), source)))
