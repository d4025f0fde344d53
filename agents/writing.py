"""Write long texts over documents: plan first, then part by part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar

from ragctx.agents.drafting import Draft
from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError, LimitError, RequestFailed
from ragctx.models import Models
from ragctx.prompts import Templates, shipped
from ragctx.strategies import finding
from ragctx.strategies.concluding import concluded
from ragctx.strategies.limits import readable
from ragctx.strategies.purse import Purse
from ragctx.strategies.standalone import Asked, alone, line
from ragctx.types import Answer, Estimate, Question, Range
from ragctx.work import Completion, Work


@dataclass(frozen=True, slots=True)
class AgentWrite:
    """Write long texts over documents: plan first, then part by part.

    After AgentWrite (Bai et al., LongWriter, arXiv 2408.07055): a plan of one line a part, each with a number of words,
    and then a call for each line. Every part is written from passages of its own, found for its line. The published
    form shows all text so far in every call, which costs more with every part; here a call is shown the plan, in which
    a sentence stands for each part that is written, and how the last part ended. A plan of more than twice the lines
    that its length needs, or of none, is sent back once; after a second one the text is written in one part. The answer
    notes how long the text was to be and how long it is, with the paper's length score. Nothing streams: no single call
    writes the answer. A prompted form: the paper's own model was trained to write long; inherits no published gain.

    Attributes:
        words: of the whole text; by default what the question asks for ("in 800 words"), else 400.
        steps: the most lines of a plan, however long the text. tokens: most tokens of passages in a call, headings
            included; by default a twelfth of the window, within 256 and 2,000.
        retriever: a registered name, or a `Retriever`. candidates: chunks to ask it for.
        max_output: most tokens of a part. templates: their refusal is recognised.

    Raises:
        ConfigError: an option makes no sense.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.work import run
        >>> corpus = Corpus.of("The notice period is three months. Pets are welcome.")
        >>> says = {"plan": "1. The notice period | 20 words", "part": "The notice period is three months [2]."}
        >>> work = AgentWrite(retriever="bm25").read(
        ...     Question("Write 20 words on the notice period."), corpus, Models({"reader": ModelFacts("m")}))
        >>> answer = run(work, lambda asked: [Completion(says[asked[0].purpose])])
        >>> answer.text, answer.notes[0]
        ('The notice period is three months.', 'asked for 20 words, wrote 6 in 1 part: length score 0 of 100')
    """

    name: ClassVar[str] = "agent-write"

    words: int | None = None
    steps: int = 50
    tokens: int | None = None
    retriever: str | Retriever = "hybrid"
    candidates: int = 12
    max_output: int = 1536
    templates: Templates = field(default_factory=shipped)

    def __post_init__(self) -> None:
        given = [number for number in (self.words, self.tokens) if number is not None]
        if min(self.steps, self.candidates, self.max_output, *given) < 1:
            raise ConfigError(
                f"agent-write cannot write with words={self.words}, steps={self.steps}, tokens={self.tokens}, "
                f"candidates={self.candidates}, max_output={self.max_output}: give at least 1"
            )

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the retriever's index."""
        yield from finding.retriever(self.retriever).prepare(corpus, models)

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        """What `read` will spend if the plan has as many lines as it is asked for: half to twice as many may come.

        Raises:
            DoesNotFit: the window has no room for a part.
        """
        view = readable(question, corpus)
        draft = Draft(self, question, view, models, Purse(models.reader))
        draft.must_have_room()
        rewriting = line(question, models, self.templates)
        times = Range(1, 1 + draft.lines, 1 + 2 * draft.lines)
        search = finding.search_line(self.retriever, question, models, corpus, self.candidates, times)
        return Estimate((*rewriting, draft.line(), *search))

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        """Plan, write, report.

        Raises:
            LimitError: window or budget do not hold a plan and a part. RequestFailed: no part could be written.
        """
        view = readable(question, corpus)
        Draft(self, question, view, models, Purse.of(question, models.reader)).must_have_room()
        asked = yield from alone(question, models, self.templates)
        draft = Draft(self, asked.question, view, models, Purse.after(asked, models.reader))
        draft.must_have_room()
        look = partial(finding.find, self.retriever, corpus=corpus, view=view, limit=self.candidates, models=models)
        found = yield from look(asked.question)
        steps = yield from draft.plan(found.passages)
        notes = list(found.notes)
        for step in steps:
            try:
                like = replace(asked.question, text=f"{asked.question.text} {step.point}")
                found = yield from look(like)
                yield from draft.part(steps, found.passages)
            except LimitError as error:
                if not any(draft.written):
                    raise
                notes.append(f"{len(draft.written)} of {len(steps)} parts were written: {error}")
                break
        return self._answer(asked, draft, view, notes)

    def _answer(self, asked: Asked, draft: Draft, view: Corpus, notes: Sequence[str]) -> Answer:
        parts = [text for text in draft.written if text]
        if not parts and draft.failure is not None:
            raise RequestFailed(draft.failure.kind, draft.failure.message)
        text = "\n\n".join(parts) or self.templates.refusal
        told = (draft.report(), *notes, *draft.notes) if parts else (*notes, *draft.notes)
        return concluded(asked, Completion(text), draft.passages, view, self.name, self.templates, told)
