"""Decomposition: a question is taken apart, each part is searched for, and the rankings become one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError
from ragctx.models import Models
from ragctx.prompts.replies import lines as said_lines
from ragctx.prompts.replies import nothing
from ragctx.prompts.tasks import Task
from ragctx.prompts.texts import texts
from ragctx.retrievers.asking import DEPTH, at_least, fused, refined, searched, searched_lines, written, written_line
from ragctx.types import Context, Line, Question, Range
from ragctx.work import Message, Sampling, Work

PURPOSE = "sub-questions"
# Tokens that one sub-question takes, at most and about.
_EACH, _EXPECTED = 32, 14
_FILE = Path(__file__).with_name("texts") / "decomposed.toml"
_SLOTS = {"parts": ("QUESTION", "MOST")}


@dataclass(frozen=True, slots=True)
class Decomposition:
    """Searches for a question and for its sub-questions side by side, fused by reciprocal rank.

    For questions that compare, or that need a fact to find the next: each side has passages of its own, which a search
    for the whole ranks behind those of the louder side. Prompted form; inherits no published gain.

    Attributes:
        over: the retriever that searches, or its name.
        most: sub-questions at most.
        weight: of the whole question's ranking, where each sub-question's counts 1.

    Raises:
        ConfigError: most below 1, or a weight below zero.

    Example:
        >>> Decomposition(most=2).name
        'decomposed'
    """

    name: ClassVar[str] = "decomposed"

    over: str | Retriever = "hybrid"
    most: int = 4
    weight: float = 1.0

    def __post_init__(self) -> None:
        at_least(self.name, most=self.most)
        if self.weight < 0:
            raise ConfigError(f"{self.name} needs a weight not below zero, not {self.weight}")

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the index of the retriever that searches."""
        yield from searched(self.over, Question("."), (), corpus, 1, models)

    def retrieve(self, question: Question, corpus: Corpus, limit: int, models: Models) -> Work[Context]:
        """At most `limit` chunks, best first; the question alone is searched for, and a note says so, without parts."""
        sampling = Sampling(max_tokens=self.most * _EACH)
        said = yield from written(self._messages(question, corpus), PURPOSE, question, models, sampling)
        parts, notes = self._parts(question.text, said.texts), list(said.notes)
        if parts:
            notes.append(f"searched for {len(parts)} sub-questions: {' / '.join(parts)}")
        elif said.texts:
            notes.append(f"no {PURPOSE}: the question was searched for as a whole")
        found = yield from searched(self.over, question, [question.text, *parts], corpus, max(DEPTH, limit), models)
        weights = [self.weight if parts else 1.0, *[1.0] * len(parts)]
        return refined(fused(found, weights, limit), said.spent, notes)

    def lines(self, question: Question, corpus: Corpus, limit: int, models: Models) -> tuple[Line, ...]:
        """The call that takes the question apart, and a search for each part."""
        messages = self._messages(question, corpus)
        asking = written_line(messages, question, models, _EXPECTED * min(3, self.most), self.most * _EACH)
        searches = Range(1, 1 + min(3, self.most), 1 + self.most)
        return (*asking, *searched_lines(self.over, question, corpus, models, searches, 2 * _EACH))

    def _parts(self, asked: str, said: tuple[str, ...]) -> list[str]:
        """The sub-questions, each once and none of them the question itself."""
        if not said or nothing(said[0]):
            return []
        listed = {" ".join(line.casefold().split()): line for line in said_lines(said[0])}
        listed.pop(" ".join(asked.casefold().split()), None)
        return list(listed.values())[: self.most]

    def _messages(self, question: Question, corpus: Corpus) -> tuple[Message, ...]:
        task = Task(texts(_FILE, _SLOTS), corpus.manifest)
        return task.messages("parts", question=question.text, most=self.most)
