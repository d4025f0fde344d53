"""IterDRAG: sub-questions, each looked up and answered, then the answer (Yue et al., ICLR 2025, arXiv 2410.04343)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from ragctx.agents.computation import Allocation
from ragctx.agents.examples import Demonstrations, Example, examples, others, turned
from ragctx.agents.expecting_rounds import lines, searches
from ragctx.agents.looking_up import Desk
from ragctx.agents.rounds import Step, findings, ranked
from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError, LimitError, RequestFailed
from ragctx.models import Models
from ragctx.prompts import Templates, shipped
from ragctx.strategies import finding
from ragctx.strategies.answering import Reading
from ragctx.strategies.filling import missing
from ragctx.strategies.limits import output_tokens, readable
from ragctx.strategies.purse import Purse
from ragctx.strategies.standalone import alone, line
from ragctx.types import Answer, Context, Estimate, Question
from ragctx.work import Work

# A twelfth of the window, within these: several searches share it, so even a small one holds two chunks.
_ROOM, _SHARE, _LEAST = 2000, 12, 512


@dataclass(frozen=True, slots=True)
class IterativeRetrieval:
    """Look up one sub-question after the other, then answer from all that was found.

    In every round a model is asked what to look up next, passages are found for that, and it is answered from them. The
    rounds end when the model says that nothing is missing, asks what was asked before or what only the examples in its
    prompt speak of, or has had `rounds`; and when window or budget leave no more than the last call takes. That one
    reads the best passages of all searches and, last, what the rounds found. Passages stand in rising order, the best
    nearest to the question.

    Prompted form: the published method forces the shape of what the model writes while it is decoded, and shows it
    demonstrations with up to hundreds of documents; this one asks for it, reads replies leniently, and shows the steps
    of demonstrations without their documents. It inherits no published gain.

    Attributes:
        rounds: most sub-questions.
        documents: chunks to find for the question and for each sub-question.
        tokens: most tokens of passages in a call; by default a twelfth of the reader's window, but 512 at least and
            2,000 at most.
        demonstrations: a JSONL file (see `ragctx.agents.examples`) or `Example`s; those with steps are shown, never one
            that asks what is asked now.
        shots: how many of them. start: the first one.
        retriever: a registered name, or a `Retriever`.
        max_output: most tokens the answer may have.
        logprobs: ask for log-probabilities, for a confidence. templates: the texts of the answering prompts.

    Raises:
        ConfigError: an option makes no sense, or the file cannot be read. BadQuestion: it holds no demonstrations.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.work import Completion, run
        >>> corpus = Corpus.of("Ines Dorn is the mayor of Arlow.", "Ines Dorn was born in 1931.")
        >>> says = {"sub-question": "Who is the mayor of Arlow?", "intermediate answer": "Ines Dorn [1]"}
        >>> work = IterativeRetrieval(retriever="bm25").read(
        ...     Question("When was the mayor of Arlow born?"), corpus, Models({"reader": ModelFacts("m")}))
        >>> answer = run(work, lambda asked: [Completion(says.get(asked[0].purpose, "In 1931."))])
        >>> answer.text, answer.notes[0]
        ('In 1931.', 'looked up: Who is the mayor of Arlow? Ines Dorn')
    """

    name: ClassVar[str] = "iterative"

    rounds: int = 3
    documents: int = 5
    tokens: int | None = None
    demonstrations: Demonstrations = ()
    shots: int = 2
    start: int = 0
    retriever: str | Retriever = "hybrid"
    max_output: int = 256
    logprobs: bool = False
    templates: Templates = field(default_factory=shipped)

    def __post_init__(self) -> None:
        least = min(self.rounds, self.documents, 1 if self.tokens is None else self.tokens)
        if least < 1 or min(self.shots, self.start) < 0:
            raise ConfigError(
                f"iterative cannot read with rounds={self.rounds}, documents={self.documents}, tokens={self.tokens}, "
                f"shots={self.shots}, start={self.start}: shots and start are at least 0, the others at least 1"
            )
        # Read once, so that a job's settings hold the demonstrations themselves and not the name of a file.
        object.__setattr__(self, "demonstrations", examples(self.demonstrations))

    @classmethod
    def allocated(
        cls, allocation: Allocation, tokens: float, demonstrations: Demonstrations = (), *, data: str = "",
        **options: object,
    ) -> Self:  # fmt: skip
        """The strategy with the documents, demonstrations and rounds that are best for so many prompt tokens.

        Args:
            allocation: fitted on runs of the same reader.
            tokens: prompt tokens a question may take over all its calls.
            demonstrations: to choose from; those without steps do not count.
            data: the set of questions, as in the runs.
            **options: all other options of the strategy.

        Raises:
            LimitError: nothing is within the tokens. ConfigError: the runs tell nothing about such a setting.

        Example:
            >>> from ragctx.agents.computation import Run
            >>> runs = [Run(k, 0, n, k * n / 99, tokens=n * (100 + 200 * k)) for k in (1, 5, 20) for n in (1, 2, 4)]
            >>> chosen = IterativeRetrieval.allocated(Allocation.fit(runs), tokens=2_500)
            >>> chosen.documents, chosen.rounds
            (5, 2)
        """
        shown = [one for one in examples(demonstrations) if one.steps]
        setting = allocation.within(tokens, data, shots=len(shown))
        picked = {"shots": setting.shots, "documents": setting.documents, "rounds": setting.iterations}
        return cls(demonstrations=shown, **picked, **options)  # type: ignore[arg-type]

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the retriever's index."""
        yield from finding.retriever(self.retriever).prepare(corpus, models)

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        """What `read` will spend: from few rounds to all of them.

        A reader that needs no round at all may take less than the low end: the span is kept to what says something.

        Raises:
            DoesNotFit: not even a prompt without passages fits the reader's window.
        """
        view = readable(question, corpus)
        desk, rewriting = self._desk(question, view, models), line(question, models, self.templates)
        desk.last(()).ceiling.check(desk.last(()).tokens(()))
        searched = finding.with_history(question)
        found = finding.find_for_nothing(self.retriever, searched, corpus, view, self.documents, models)
        expected = lines(desk, found, self.rounds, self.documents)
        if found is not None:
            return Estimate((*rewriting, *expected), notes=found.notes)
        times = searches(self.rounds)
        search = finding.search_line(self.retriever, question, models, corpus, self.documents, times)
        return Estimate((*rewriting, *expected, *search))

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        """Find, look up what is missing round by round, answer.

        Raises:
            LimitError: window, budget or `tokens` leave no room for a single sentence.
        """
        view = readable(question, corpus)
        asked = yield from alone(question, models, self.templates)
        desk = self._desk(asked.question, view, models)
        purse = Purse.after(asked, models.reader)
        desk.open(purse)
        main = yield from finding.find(self.retriever, asked.question, corpus, view, self.documents, models)
        desk.begin(main)
        steps, searches, notes = yield from self._rounds(desk, main, corpus, view, models)
        filler = desk.last(steps)
        read = [span for step in steps for passage in step.passages for span in passage.spans]
        told = [dropped for one in searches for dropped in one.dropped]
        found = Context((*findings(steps), *ranked([one.passages for one in searches])), tuple(told), main.notes)
        filled = filler.fill(found)
        answer = yield from desk.reading.answer(
            replace(asked, notes=(*asked.notes, *notes)), filled, view, models, filler.ceiling
        )
        seen = [*filled.spans, *read]
        unread = {(one.span, one.reason): one for one in answer.dropped if missing([one.span], seen)}
        return replace(answer, coverage=view.coverage(seen), dropped=tuple(unread.values()))

    def _rounds(
        self, desk: Desk, main: Context, corpus: Corpus, view: Corpus, models: Models
    ) -> Work[tuple[list[Step], list[Context], list[str]]]:
        """The steps, everything that was found for the question and for them, and what a person should know."""
        steps: list[Step] = []
        searches, notes = [main], list[str]()
        try:
            while len(steps) < self.rounds:
                wanted = yield from desk.next_question(steps)
                if not wanted:
                    break
                like = replace(desk.question, text=wanted)
                found = yield from finding.find(self.retriever, like, corpus, view, self.documents, models)
                searches.append(found)
                step = yield from desk.look_up(wanted, found, steps)
                steps.append(step)
                notes.append(f"looked up: {step.question} {step.answer or 'not found'}")
        except LimitError as error:
            notes.append(f"no more was looked up after {len(steps)} rounds: {error}")
        except RequestFailed as error:
            notes.append(f"round {len(steps) + 1} failed, and no more was looked up: {error}")
        return steps, searches, [*notes, *desk.told]

    def _desk(self, question: Question, view: Corpus, models: Models) -> Desk:
        window, output = models.reader.window, output_tokens(models.reader, self.max_output)
        room = self.tokens or (_ROOM if window is None else max(_LEAST, min(_ROOM, window // _SHARE)))
        reading = Reading(self.name, self.templates, output, self.logprobs)
        return Desk(reading, question, view, models, room, tuple(self._shown(question)))

    def _shown(self, question: Question) -> Sequence[Example]:
        return turned(
            [one for one in others(examples(self.demonstrations), question) if one.steps], self.start, self.shots
        )
