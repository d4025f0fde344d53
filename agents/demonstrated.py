"""DRAG: demonstrations before the question, each with its own documents (Yue et al., ICLR 2025, arXiv 2410.04343)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar, Self

from ragctx.agents.computation import Allocation
from ragctx.agents.demonstrating import Showing
from ragctx.agents.examples import Demonstrations, Example, examples, others, turned
from ragctx.agents.shown import Shown, given
from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError
from ragctx.models import Models
from ragctx.prompts import Templates, shipped
from ragctx.strategies import finding
from ragctx.strategies.limits import output_tokens, readable
from ragctx.strategies.standalone import alone, line
from ragctx.strategies.together import succeeded, together
from ragctx.types import Answer, Context, Estimate, Question, Range
from ragctx.work import Work

# A twelfth of the window, within these: several searches share it, so even a small one holds two chunks.
_ROOM, _SHARE, _LEAST = 2000, 12, 512
_NONE = "no demonstrations were given: read without any"
_SAME = "a demonstration that asks the same question was left out"


@dataclass(frozen=True, slots=True)
class DemonstratedRetrieval:
    """Show how other questions were answered from their documents, then give the question's own documents.

    Every demonstration is a turn of the conversation: the documents found for it (or those that it brings), the best
    one last, its question, and its answer. The question follows in the same form. One call. A demonstration that asks
    what is asked now is never shown. Where not all of them fit beside the question's documents, the last ones are left
    out and the answer says so. The published gains are those of models with windows of 32,000 tokens and more, in whose
    prompts were hundreds of documents; this form inherits none of them.

    Attributes:
        demonstrations: a JSONL file (see `ragctx.agents.examples`), or `Example`s.
        shots: how many of them are shown. start: the first one that is shown.
        documents: chunks to find for the question, and likewise for each demonstration that brings none.
        tokens: most tokens of the question's passages, and likewise of each demonstration's; by default a twelfth of
            the reader's window, but 512 at least and 2,000 at most.
        retriever: a registered name, or a `Retriever`.
        max_output: most tokens the answer may have.
        logprobs: ask for log-probabilities, for a confidence. templates: the texts of the prompt.

    Raises:
        ConfigError: an option makes no sense, or the file cannot be read. BadQuestion: it holds no demonstrations.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.work import Completion, run
        >>> corpus = Corpus.of("The notice period is three months.", "Pets are welcome. Rent is due in May.")
        >>> strategy = DemonstratedRetrieval((Example("When is rent due?", "in May"),), retriever="bm25", documents=1)
        >>> def reply(requests):
        ...     print([message.role for message in requests[0].messages])
        ...     return [Completion("Three months. [1]")]
        >>> work = strategy.read(Question("What is the notice period?"), corpus, Models({"reader": ModelFacts("m")}))
        >>> run(work, reply).citations[0].source
        ['system', 'user', 'assistant', 'user']
        'text-1'
    """

    name: ClassVar[str] = "drag"

    demonstrations: Demonstrations = ()
    shots: int = 2
    documents: int = 5
    tokens: int | None = None
    retriever: str | Retriever = "hybrid"
    max_output: int = 256
    start: int = 0
    logprobs: bool = False
    templates: Templates = field(default_factory=shipped)

    def __post_init__(self) -> None:
        if self.shots < 0 or self.documents < 1 or self.start < 0 or (self.tokens is not None and self.tokens < 1):
            raise ConfigError(
                f"drag cannot read with shots={self.shots}, documents={self.documents}, tokens={self.tokens}, "
                f"start={self.start}: shots and start are at least 0, the others at least 1"
            )
        # Read once, so that a job's settings hold the demonstrations themselves and not the name of a file.
        object.__setattr__(self, "demonstrations", examples(self.demonstrations))

    @classmethod
    def allocated(
        cls, allocation: Allocation, tokens: float, demonstrations: Demonstrations = (), *, data: str = "",
        **options: object,
    ) -> Self:  # fmt: skip
        """The strategy with as many documents and demonstrations as are best for so many prompt tokens.

        Args:
            allocation: fitted on runs of the same reader.
            tokens: prompt tokens a question may take.
            demonstrations: to choose from.
            data: the set of questions, as in the runs.
            **options: all other options of the strategy.

        Raises:
            LimitError: nothing is within the tokens. ConfigError: the runs tell nothing about reading in one call.

        Example:
            >>> from ragctx.agents.computation import Run
            >>> runs = [Run(k, 0, 1, k / 40, tokens=100 + 200 * k) for k in (1, 5, 20)]
            >>> DemonstratedRetrieval.allocated(Allocation.fit(runs), tokens=1_500).documents
            5
        """
        shown = examples(demonstrations)
        setting = allocation.within(tokens, data, shots=len(shown), iterations=1)
        return cls(shown, shots=setting.shots, documents=setting.documents, **options)  # type: ignore[arg-type]

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the retriever's index."""
        yield from finding.retriever(self.retriever).prepare(corpus, models)

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        """What `read` will spend: counted where finding needs no model, else from the chunks' mean length.

        Raises:
            DoesNotFit: not even a prompt without passages fits the reader's window.
        """
        view = readable(question, corpus)
        shown, rewriting = self._shown(question, view, models), line(question, models, self.templates)
        bare = shown.filler(())
        chosen, notes = self._chosen(question)
        found = self._found_for_nothing(question, chosen, corpus, view, models)
        if found is None:
            prompt = shown.typical(chosen, self.documents, sure=self.retriever in finding.RANK_ALL)
        else:
            _, filler, note = shown.assembled(chosen, found)
            filled = filler.fill(found[0])
            prompt, notes = (
                Range.exactly(filler.tokens(filled.passages)),
                (*filled.notes, *notes, *filter(None, [note])),
            )
        exact = found is not None and models.reader.counter.exact
        if found is not None and question.history:
            most = shown.typical(chosen, self.documents, sure=False).high
            prompt = Range(bare.tokens(()), prompt.expected, max(prompt.high, most))
        guess = shown.reading.estimate(question, prompt, rewriting, exact=exact, notes=notes)
        if found is not None:
            return guess
        times = Range.exactly(1 + sum(not one.documents for one in chosen))
        search = finding.search_line(self.retriever, question, models, corpus, self.documents, times)
        return replace(guess, lines=(*guess.lines, *search))

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        """Find for the question and for every demonstration, show them, answer.

        Raises:
            LimitError: window, budget or `tokens` leave no room for a single sentence.
        """
        view = readable(question, corpus)
        asked = yield from alone(question, models, self.templates)
        shown = self._shown(asked.question, view, models, asked.spent)
        shown.filler(())  # refuses a question that does not fit before anything is searched
        chosen, notes = self._chosen(asked.question)
        yield from self.prepare(corpus, models)
        found = succeeded((yield from together(self._searches(asked.question, chosen, corpus, view, models))))
        shots, filler, note = shown.assembled(chosen, found)
        filled = filler.fill(found[0])
        context = replace(filled, notes=(*filled.notes, *notes, *filter(None, [note])))
        answer = yield from shown.with_shots(shots).answer(asked, context, view, models, filler.ceiling)
        seen = [span for shot in shots for passage in shot.passages for span in passage.spans]
        return replace(answer, coverage=view.coverage([*context.spans, *seen]))

    def _shown(self, question: Question, view: Corpus, models: Models, spent: int = 0) -> Shown:
        window, output = models.reader.window, output_tokens(models.reader, self.max_output)
        room = self.tokens or (_ROOM if window is None else max(_LEAST, min(_ROOM, window // _SHARE)))
        return Shown(Showing(self.name, self.templates, output, self.logprobs), question, view, models, room, spent)

    def _chosen(self, question: Question) -> tuple[tuple[Example, ...], tuple[str, ...]]:
        """The demonstrations to show, and what a person should know of them."""
        every = examples(self.demonstrations)
        allowed = others(every, question)
        told = [(_SAME, len(allowed) < len(every)), (_NONE, self.shots > 0 and not every)]
        return turned(allowed, self.start, self.shots), tuple(note for note, holds in told if holds)

    def _searches(
        self, question: Question, chosen: Sequence[Example], corpus: Corpus, view: Corpus, models: Models
    ) -> list[Work[Context]]:
        """What finds the question's documents, then those of each demonstration."""
        search = partial(finding.find, self.retriever)
        asked = [replace(question, text=one.question, history=()) for one in chosen]
        return [
            search(question, corpus, view, self.documents, models),
            *(
                _brought(one) if one.documents else search(like, corpus, view, self.documents, models)
                for one, like in zip(chosen, asked, strict=True)
            ),
        ]

    def _found_for_nothing(
        self, question: Question, chosen: Sequence[Example], corpus: Corpus, view: Corpus, models: Models
    ) -> list[Context] | None:
        """What `read` will find, where that asks no model."""
        if models.has("encoder") and self.retriever != "bm25":
            return None
        searched = finding.with_history(question)
        found = finding.without_models(together(self._searches(searched, chosen, corpus, view, models)))
        return None if found is None else succeeded(found)


def _brought(example: Example) -> Work[Context]:
    """The documents that a demonstration brings; nothing is searched."""
    yield from ()
    return Context(given(example))
