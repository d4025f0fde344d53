"""HyDE: the reader makes up a passage that would answer, and what looks like it is searched for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.models import Models
from ragctx.prompts.tasks import Task
from ragctx.prompts.texts import texts
from ragctx.retrievers.asking import DEPTH, at_least, fused, refined, searched, searched_lines, written, written_line
from ragctx.types import Context, Line, Question, Range
from ragctx.work import Message, Sampling, Work

PURPOSE = "hypothetical passage"
# Several passages from one prompt must differ; a single one is the same every time.
_WARM = 0.7
_FILE = Path(__file__).with_name("texts") / "hyde.toml"
_SLOTS = {"passage": ("QUESTION",)}


@dataclass(frozen=True, slots=True)
class HypotheticalDocuments:
    """Searches by passages that the reader makes up, and by the question (HyDE, arXiv 2212.10496).

    What is made up is only searched with and never handed over, so a wrong fact in it costs a place and no truth. The
    published method averages the vectors of several such passages; here each is searched for on its own and the
    rankings are fused by reciprocal rank, so that any retriever can be refined: prompted form, inherits no published
    gain.

    Attributes:
        over: the retriever that searches, or its name.
        passages: how many are made up; more than one are sampled. most: tokens of each.

    Raises:
        ConfigError: a number below 1.

    Example:
        >>> HypotheticalDocuments(passages=2).name
        'hyde'
    """

    name: ClassVar[str] = "hyde"

    over: str | Retriever = "hybrid"
    passages: int = 1
    most: int = 96

    def __post_init__(self) -> None:
        at_least(self.name, passages=self.passages, most=self.most)

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the index of the retriever that searches."""
        yield from searched(self.over, Question("."), (), corpus, 1, models)

    def retrieve(self, question: Question, corpus: Corpus, limit: int, models: Models) -> Work[Context]:
        """At most `limit` chunks, best first; those of the question alone, and a note, where nothing was made up."""
        sampling = Sampling(max_tokens=self.most, temperature=_WARM if self.passages > 1 else 0.0)
        said = yield from written(self._messages(question, corpus), PURPOSE, question, models, sampling, self.passages)
        asked = [question.text, *(" ".join(text.split()) for text in dict.fromkeys(said.texts))]
        found = yield from searched(self.over, question, asked, corpus, max(DEPTH, limit), models)
        return refined(fused(found, [1.0] * len(found), limit), said.spent, said.notes)

    def lines(self, question: Question, corpus: Corpus, limit: int, models: Models) -> tuple[Line, ...]:
        """The calls that make passages up, and one search more than there are passages."""
        asking = written_line(self._messages(question, corpus), question, models, self.most, self.most, self.passages)
        searches = Range(1, 1 + self.passages, 1 + self.passages)
        return (*asking, *searched_lines(self.over, question, corpus, models, searches, 2 * self.most))

    def _messages(self, question: Question, corpus: Corpus) -> tuple[Message, ...]:
        return Task(texts(_FILE, _SLOTS), corpus.manifest).messages("passage", question=question.text)
