"""Query expansion: the reader adds words that an answer would use, and the search is made with both."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.models import Models
from ragctx.prompts.replies import lines as said_lines
from ragctx.prompts.tasks import Task
from ragctx.prompts.texts import texts
from ragctx.retrievers.asking import DEPTH, at_least, fused, refined, searched, searched_lines, written, written_line
from ragctx.types import Context, Line, Question, Range
from ragctx.work import Message, Sampling, Work

PURPOSE = "search keywords"
_FILE = Path(__file__).with_name("texts") / "expanded.toml"
_SLOTS = {"keywords": ("QUESTION", "WORDS")}
_WORD = re.compile(r"[^\W_](?:[\w'\u2019-]*\w)?")


@dataclass(frozen=True, slots=True)
class QueryExpansion:
    """Searches by the question and by the question with keywords, fused by rank (best practices of RAG, COLING 2025).

    The published study had a trained model write the keywords; here the reader is asked for them: prompted form,
    inherits no published gain. The question's own search always counts, so keywords that miss cannot lose it.

    Attributes:
        over: the retriever that searches, or its name.
        words: the most keywords that are added. most: tokens that they may take.

    Raises:
        ConfigError: a number below 1.

    Example:
        >>> QueryExpansion(words=5).name
        'expanded'
    """

    name: ClassVar[str] = "expanded"

    over: str | Retriever = "hybrid"
    words: int = 10
    most: int = 40

    def __post_init__(self) -> None:
        at_least(self.name, words=self.words, most=self.most)

    def prepare(self, corpus: Corpus, models: Models) -> Work[None]:
        """Build or refresh the index of the retriever that searches."""
        yield from searched(self.over, Question("."), (), corpus, 1, models)

    def retrieve(self, question: Question, corpus: Corpus, limit: int, models: Models) -> Work[Context]:
        """At most `limit` chunks, best first; those of the question alone, and a note, where no keyword came."""
        said = yield from written(
            self._messages(question, corpus), PURPOSE, question, models, Sampling(max_tokens=self.most)
        )
        added, notes = self._added(question.text, said.texts), list(said.notes)
        asked = [question.text, *([f"{question.text} {' '.join(added)}"] if added else [])]
        if added:
            notes.append(f"also searched for: {', '.join(added)}")
        elif said.texts:
            notes.append(f"no {PURPOSE}: the reply holds no word that the question has not")
        found = yield from searched(self.over, question, asked, corpus, max(DEPTH, limit), models)
        return refined(fused(found, [1.0] * len(found), limit), said.spent, notes)

    def lines(self, question: Question, corpus: Corpus, limit: int, models: Models) -> tuple[Line, ...]:
        """The call that writes keywords, and two searches."""
        asking = written_line(self._messages(question, corpus), question, models, self.most, self.most)
        return (*asking, *searched_lines(self.over, question, corpus, models, Range(1, 2, 2), 2 * self.most))

    def _added(self, asked: str, said: tuple[str, ...]) -> list[str]:
        """Words of the first line that the question has not, each once."""
        line = next((line for text in said for line in said_lines(text)), "")
        known = {word.casefold() for word in _WORD.findall(asked)}
        new = {word.casefold(): word for word in reversed(_WORD.findall(line)) if word.casefold() not in known}
        return list(reversed(new.values()))[: self.words]

    def _messages(self, question: Question, corpus: Corpus) -> tuple[Message, ...]:
        task = Task(texts(_FILE, _SLOTS), corpus.manifest)
        return task.messages("keywords", question=question.text, words=self.words)
