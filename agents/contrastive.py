"""Contrastive demonstrations: solved questions like this one, each with a right and a wrong answer.

The best variant of the study of best practices for retrieval (Li et al., COLING 2025, arXiv 2501.07391), where the
solved questions came from the same set as those that were asked: that is no evidence for documents of one's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

from ragctx.agents.gathered import Gathered, with_notes
from ragctx.agents.solved import Solved, SolvedQuestions, similar, solved
from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError
from ragctx.models import Models
from ragctx.prompts import Prompt, Templates, harmless, shipped
from ragctx.prompts.texts import texts
from ragctx.strategies import finding
from ragctx.strategies.answering import Reading
from ragctx.strategies.filling import Filler
from ragctx.strategies.limits import Ceiling, output_tokens, readable
from ragctx.strategies.ordering import ordered
from ragctx.strategies.purse import Purse
from ragctx.strategies.standalone import alone, line
from ragctx.types import Answer, Estimate, Question
from ragctx.work import Work

_FILE = Path(__file__).with_name("texts") / "contrastive.toml"
_SLOTS = {"lead": (), "both": ("QUESTION", "RIGHT", "WRONG"), "right": ("QUESTION", "RIGHT")}
_NONE = "no solved questions were given: read without any"
_DOCUMENT = partial(ordered, order="document")


@dataclass(frozen=True, slots=True)
class Contrasted(Prompt):
    r"""A prompt with solved questions between the documents and the question.

    Attributes:
        shown: in order, the most similar last.

    Example:
        >>> prompt = Contrasted(shipped(), seed="m", shown=(Solved("Who pays?", "Ada", "The tenant, I think."),))
        >>> "Good answer: Ada\nBad answer: The tenant, I think." in prompt.ask(Question("When?"))
        True
    """

    shown: tuple[Solved, ...] = ()

    def ask(self, question: Question) -> str:
        """The solved questions, then what stands after the documents anyway."""
        plain = Prompt(self.templates, self.seed, self.schema).ask(question)
        if not self.shown:
            return plain
        said, refusal = texts(_FILE, _SLOTS), self.templates.refusal
        parts = [
            said.fill(
                "both" if one.wrong.strip() else "right",
                question=_line(one.question),
                right=_line(one.right) or refusal,
                **({"wrong": _line(one.wrong)} if one.wrong.strip() else {}),
            )
            for one in self.shown
        ]
        return "\n\n".join([said.fill("lead"), *parts, plain])


@dataclass(frozen=True, slots=True)
class Contrasting(Reading):
    """The answering call with solved questions in its prompt."""

    shown: tuple[Solved, ...] = ()

    def prompt(self, question: Question, corpus: Corpus) -> Contrasted:
        """How the prompt is written for one corpus."""
        plain = Reading.prompt(self, question, corpus)
        return Contrasted(plain.templates, plain.seed, plain.schema, self.shown)


@dataclass(frozen=True, slots=True)
class ContrastiveDemonstrations:
    """Show the solved questions most like this one, each with a good and a bad answer, then ask. One call.

    Likeness is by words, so that no model is needed for it. Where a solved question has no wrong answer, the right
    answer to another one stands in its place. One that asks what is asked now is never shown. Where they do not all fit
    beside a passage, the least similar are left out, which a note tells.

    Attributes:
        examples: a JSONL file (see `ragctx.agents.solved`), or `Solved`s.
        shots: how many are shown. contrast: show wrong answers too.
        tokens: most tokens of passages; by default a twelfth of the reader's window, but 256 at least and 2,000 at
            most. All documents are read where they fit, otherwise what a search finds.
        retriever: a registered name, or a `Retriever`.
        max_output: most tokens the answer may have.
        logprobs: ask for log-probabilities, for a confidence. templates: the texts of the prompt.

    Raises:
        ConfigError: an option makes no sense, or the file cannot be read. BadQuestion: it holds no solved questions.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.work import Completion, run
        >>> corpus = Corpus.of("The notice period is three months.", "Pets are welcome.")
        >>> strategy = ContrastiveDemonstrations((Solved("How long is the lease?", "five years", "long"),))
        >>> def reply(requests):
        ...     print("Bad answer: long" in requests[0].messages[-1].content)
        ...     return [Completion("Three months. [1]")]
        >>> work = strategy.read(Question("How long is the notice?"), corpus, Models({"reader": ModelFacts("m")}))
        >>> run(work, reply).citations[0].source
        True
        'text-1'
    """

    name: ClassVar[str] = "contrastive-demonstrations"

    examples: SolvedQuestions = ()
    shots: int = 2
    contrast: bool = True
    tokens: int | None = None
    retriever: str | Retriever = "hybrid"
    max_output: int = 256
    logprobs: bool = False
    templates: Templates = field(default_factory=shipped)

    def __post_init__(self) -> None:
        if self.shots < 0 or (self.tokens is not None and self.tokens < 1) or self.max_output < 1:
            raise ConfigError(
                f"{self.name} cannot read with shots={self.shots}, tokens={self.tokens}, max_output={self.max_output}: "
                "shots is at least 0, the others at least 1"
            )
        # Read once, so that a job's settings hold the questions themselves and not the name of a file.
        object.__setattr__(self, "examples", solved(self.examples))

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the retriever's index."""
        yield from finding.retriever(self.retriever).prepare(corpus, models)

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        """What `read` will spend: counted where finding needs no model, else from the chunks' mean length.

        Raises:
            LimitError: not even a prompt without passages fits.
        """
        view = readable(question, corpus)
        reading, filler, notes = self._filler(question, view, models)
        prompt, search = self._gathered(corpus, view, models).planned(question, filler)
        known = prompt.low == prompt.high and models.reader.counter.exact
        guess = reading.estimate(question, prompt, line(question, models, self.templates), exact=known, notes=notes)
        return replace(guess, lines=(*guess.lines, *search))

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        """Choose the demonstrations, gather the passages, answer.

        Raises:
            LimitError: window or budget leave no room for a single sentence.
        """
        view = readable(question, corpus)
        self._filler(question, view, models)  # refuses what cannot fit before anything is spent
        asked = yield from alone(question, models, self.templates)
        reading, filler, notes = self._filler(asked.question, view, models, asked.spent)
        Purse.after(asked, models.reader).check(filler.tokens(()), reading.output)
        context = yield from self._gathered(corpus, view, models).context(asked.question, filler)
        return (yield from reading.answer(asked, with_notes(context, *notes), view, models, filler.ceiling))

    def _gathered(self, corpus: Corpus, view: Corpus, models: Models) -> Gathered:
        return Gathered(self.retriever, corpus, view, models, self.tokens)

    def _filler(
        self, question: Question, view: Corpus, models: Models, spent: int = 0
    ) -> tuple[Contrasting, Filler, tuple[str, ...]]:
        """The answering call, what fills its prompt, and notes: with as many demonstrations as leave room to read."""
        output, room = output_tokens(models.reader, self.max_output), self._gathered(view, view, models).room
        limit = Ceiling.of(models.reader, output, question, spent)
        chosen = self._chosen(question)
        for kept in range(len(chosen), -1, -1):
            shown = chosen[len(chosen) - kept :]
            reading = Contrasting(self.name, self.templates, output, self.logprobs, shown)
            prompt = reading.prompt(question, view)
            bare = models.reader.counter.render(prompt.messages((), question))
            if limit.tokens is None or bare + room // 2 <= limit.tokens or not kept:
                break
        limit.check(bare)
        ceiling = limit.lowered(bare + room, f"{self.name}(tokens={room})", bare)
        left_out = f"{kept} of {len(chosen)} solved questions are shown: more do not fit"
        told = [(_NONE, self.shots > 0 and not self.examples), (left_out, kept < len(chosen))]
        notes = tuple(note for note, holds in told if holds)
        return reading, Filler(prompt, question, models.reader.counter, ceiling, view, _DOCUMENT), notes

    def _chosen(self, question: Question) -> tuple[Solved, ...]:
        every = solved(self.examples)
        chosen = similar(every, question, self.shots)
        return tuple(_contrasted(one, every) if self.contrast else replace(one, wrong="") for one in chosen)


def _contrasted(one: Solved, every: Sequence[Solved]) -> Solved:
    """With a wrong answer: its own, or the right one of the question most like it."""
    if one.wrong.strip():
        return one
    answers = [o.right for o in reversed(similar(every, Question(one.question), len(every))) if o.right.strip()]
    other = next((text for text in answers if text.casefold().strip() != one.right.casefold().strip()), "")
    return replace(one, wrong=other)


def _line(text: str) -> str:
    return harmless(" ".join(text.split()))
