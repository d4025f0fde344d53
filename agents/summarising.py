"""Sum up documents of any length, about the question or as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal

from ragctx.agents import topics
from ragctx.agents.hierarchical import hierarchical
from ragctx.agents.incremental import incremental
from ragctx.agents.summaries import LOST, Summary, Writer
from ragctx.agents.summary_jobs import LEAST, SummaryJob
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError, RequestFailed
from ragctx.models import Models
from ragctx.prompts import Templates, shipped
from ragctx.prompts.tasks import Task
from ragctx.prompts.texts import texts
from ragctx.strategies.concluding import concluded
from ragctx.strategies.limits import output_tokens, readable
from ragctx.strategies.portions import Portion
from ragctx.strategies.purse import Purse
from ragctx.strategies.standalone import MOST, Asked, alone, line
from ragctx.types import Answer, Dropped, Estimate, Line, Question, Range
from ragctx.work import Completion, Work

WORKFLOWS = ("hierarchical", "incremental")
_FILE = Path(__file__).with_name("texts") / "summarise.toml"
_TEXTS = {
    "part_focused": ("QUESTION", "WORDS", "NOTHING", "extra"),
    "part_plain": ("WORDS", "extra"),
    "merge_focused": ("QUESTION", "WORDS", "extra"),
    "merge_plain": ("WORDS", "extra"),
    "update_focused": ("SUMMARY", "QUESTION", "WORDS", "extra"),
    "update_plain": ("SUMMARY", "WORDS", "extra"),
    "shorten": ("SUMMARY", "WORDS"),
}
# The share of the window that a summary may take: two of the level below and one to be written must fit.
_SHARE = 5


@dataclass(frozen=True, slots=True)
class Summarise:
    """Sum up documents of any length, about the question or as a whole.

    The two workflows of BooookScore (Chang et al., ICLR 2024, arXiv 2310.00785): "hierarchical" sums up every part by
    itself, all of them at once, and then the summaries until one is left; "incremental" brings one summary up to date
    part by part, which keeps more detail and runs together worse. A summary is valid if it says something, keeps within
    its limit and ends as a sentence does; one that is not is asked for again with fewer words. One that came out longer
    than what it sums up gives place to that text itself. Everything is read: coverage names what no usable summary
    came of. Every call is a request of its own, so a killed batch goes on at the part where it was.

    Other than there: parts are summed up about the question, and a merge is shown the summaries it merges and not the
    one before them, so that a level's calls are independent of each other; a summary has 400 tokens and three tries
    instead of 900 and six. No published score carries over.

    Attributes:
        workflow: "hierarchical" or "incremental". focused: sum up what bears on the question, where it names anything;
            otherwise everything: small models asked what texts say of "the whole meeting" reply that they say nothing.
        length: most tokens of the summary; levels below the top have 0.65 times that of the level above.
        part: most tokens of a part, less where the window is small.
        tries: at one summary, the first included. templates: its refusal says that nothing bears on the question.

    Raises:
        ConfigError: an option makes no sense.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> from ragctx.work import run
        >>> corpus = Corpus.of("The lease runs for ten years. Rent is due monthly. Pets are welcome in the yard.")
        >>> work = Summarise().read(Question("What is due?"), corpus, Models({"reader": ModelFacts("m")}))
        >>> run(work, lambda requests: [Completion("Rent is due monthly.") for _ in requests]).text
        'Rent is due monthly.'
    """

    name: ClassVar[str] = "summarise"

    workflow: Literal["hierarchical", "incremental"] = "hierarchical"
    focused: bool = True
    length: int = 400
    part: int = 2048
    tries: int = 3
    templates: Templates = field(default_factory=shipped)

    def __post_init__(self) -> None:
        if self.workflow not in WORKFLOWS:
            raise ConfigError(f"no workflow is called {self.workflow!r}: there are {', '.join(WORKFLOWS)}")
        if self.tries < 1 or self.length < 16 or self.part < LEAST:
            raise ConfigError(
                f"summarise needs room: length={self.length} (16 at least), part={self.part} ({LEAST} at least), "
                f"tries={self.tries} (1 at least)"
            )

    def estimate(self, question: Question, corpus: Corpus, models: Models) -> Estimate:
        """What `read` will spend: the first level to the token, what is above it by how summaries fill their limits.

        Raises:
            DoesNotFit: the window has no room for a part and a summary. ConfigError: an `answer_type` was asked for.
        """
        view = readable(question, corpus)
        job = self._job(question, view, models, Purse(models.reader))
        rewriting = line(question, models, self.templates)
        lines = job.lines(view, models)
        told = tuple(_follow_up(question, one, models) for one in lines) if rewriting else lines
        return Estimate((*rewriting, *told))

    def read(self, question: Question, corpus: Corpus, models: Models) -> Work[Answer]:
        """Sum up every part, then the summaries.

        Raises:
            LimitError: window or budget do not hold all the calls it takes. RequestFailed: no usable summary came.
        """
        view = readable(question, corpus)
        self._job(question, view, models, Purse(models.reader))  # what cannot be read is refused before any call
        asked = yield from alone(question, models, self.templates)
        job = self._job(asked.question, view, models, Purse.after(asked, models.reader))
        cut = job.cut(view)
        job.check(cut, models)
        if not cut:
            return self._answer(asked, Summary("", ()), cut, view, job.writer)
        summary = yield from self._summary(job, cut)
        if summary is None or not job.writer.read:
            raise _failed(job.writer)
        return self._answer(asked, summary, cut, view, job.writer)

    def _summary(self, job: SummaryJob, cut: Sequence[Portion]) -> Work[Summary | None]:
        if self.workflow == "incremental":
            return (yield from incremental(job.writer, cut, job.limit, job.focused))
        level = yield from hierarchical(job.writer, cut, job.tree(len(cut)), job.focused)
        text = "\n\n".join(summary.text for summary in level)
        last = level[-1].completion if level else Completion("")
        return Summary(text, tuple(span for summary in level for span in summary.spans), last)

    def _job(self, question: Question, view: Corpus, models: Models, purse: Purse) -> SummaryJob:
        if question.answer_type is not None:
            raise ConfigError("summarise writes text, not data: drop answer_type, or use map-extract, retrieve or full")
        facts = models.reader
        task = Task(texts(_FILE, _TEXTS), view.manifest)
        extra = f"\n{question.instructions.strip()}" if question.instructions.strip() else ""
        limit = output_tokens(facts, self.length if facts.window is None else min(self.length, facts.window // _SHARE))
        how = replace(self, focused=self.focused and topics.named(question.text))
        asked = question.text if how.focused else ""
        writer = Writer(facts, task, purse, self.templates, asked, extra, self.tries)
        return SummaryJob(how, writer, models.of("worker"), max(1, limit))

    def _answer(self, asked: Asked, summary: Summary, cut: Sequence[Portion], view: Corpus, writer: Writer) -> Answer:
        passages = tuple(passage for portion in cut for passage in portion)
        text = summary.text or self.templates.refusal
        read = writer.read if summary.text else [span for passage in passages for span in passage.spans]
        dropped = tuple(Dropped(span, LOST) for span in writer.lost)
        completion = replace(summary.completion, text=text)
        notes = (f"summed up in {len(cut)} {'part' if len(cut) == 1 else 'parts'}, {self.workflow}", *writer.notes)
        return concluded(
            asked, completion, passages, view, self.name, self.templates, notes, dropped=dropped, read=read
        )


def _follow_up(question: Question, one: Line, models: Models) -> Line:
    """A line where the question will be put in other words, which stand in every call."""
    shorter = one.calls.high * models.reader.counter.count(question.text)
    low = max(0.0, one.prompt.low - shorter)
    return replace(one, prompt=Range(low, one.prompt.expected, one.prompt.high + one.calls.high * MOST))


def _failed(writer: Writer) -> RequestFailed:
    """No part gave a summary: the last failure says why, where there was one."""
    if writer.failures:
        return RequestFailed(writer.failures[-1].kind, writer.failures[-1].message)
    return RequestFailed(
        "empty", "no part of the documents gave a usable summary: raise length, give more tries, or use a larger model"
    )
