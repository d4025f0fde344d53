"""The prompt that shows demonstrations as earlier turns of the conversation, each with its own documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragctx.corpus import Corpus
from ragctx.prompts import Prompt, Templates, harmless, quoted
from ragctx.strategies.answering import Reading
from ragctx.types import Passage, Question
from ragctx.work import Message


@dataclass(frozen=True, slots=True)
class Shot:
    """A demonstration as it is shown: question, passages in reading order, answer (empty: the refusal)."""

    question: str
    answer: str
    passages: tuple[Passage, ...] = ()

    def reply(self, templates: Templates) -> str:
        """What the model is shown to have replied, with the number of the last passage that holds it.

        Example:
            >>> from ragctx.prompts import shipped
            >>> read = (Passage("Rent is due in May.", ()), Passage("Pets are welcome.", ()))
            >>> Shot("When is rent due?", "in May", read).reply(shipped())
            'in May [1]'
        """
        if not self.answer.strip():
            return templates.refusal
        answer = harmless(" ".join(self.answer.split()))
        said = self.answer.casefold().strip(" .")
        holding = [number for number, one in enumerate(self.passages, 1) if said in one.text.casefold()]
        return f"{answer} [{holding[-1]}]" if holding else answer


@dataclass(frozen=True, slots=True)
class Demonstrated(Prompt):
    r"""A prompt with demonstrations before it; all documents of all of them share one fence.

    Attributes:
        shots: in order, the last one nearest to the question.

    Example:
        >>> from ragctx.prompts import shipped
        >>> prompt = Demonstrated(shipped(), seed="m", shots=(Shot("Who pays?", "Ada", (Passage("Ada pays.", ()),)),))
        >>> [message.role for message in prompt.messages([Passage("Rent is due.", ())], Question("When?"))]
        ['system', 'user', 'assistant', 'user']
    """

    shots: tuple[Shot, ...] = ()

    def messages(self, passages: Sequence[Passage], question: Question) -> tuple[Message, ...]:
        """The rules, every demonstration as a turn and its reply, then the passages and the question."""
        groups = [*(shot.passages for shot in self.shots), tuple(passages)]
        mark, shown = quoted([passage for group in groups for passage in group], self.seed)
        left = iter(shown)
        parts = [[self._block(i, *next(left), mark) for i, _ in enumerate(group, 1)] for group in groups]
        end, plain = self.templates.fill("end", fence=mark), Prompt(self.templates, self.seed)
        turns = [Message("system", self.templates.fill("system", fence=mark))]
        for shot, blocks in zip(self.shots, parts, strict=False):
            turns.append(Message("user", "\n".join([*blocks, end]) + "\n\n" + plain.ask(Question(shot.question))))
            turns.append(Message("assistant", shot.reply(self.templates)))
        return (*turns, Message("user", "\n".join([*parts[-1], end]) + "\n\n" + self.ask(question)))


@dataclass(frozen=True, slots=True)
class Showing(Reading):
    """The answering call with demonstrations before it."""

    shots: tuple[Shot, ...] = ()

    def prompt(self, question: Question, corpus: Corpus) -> Demonstrated:
        """How the prompt is written for one corpus."""
        plain = Reading.prompt(self, question, corpus)
        return Demonstrated(plain.templates, plain.seed, plain.schema, self.shots)
