"""From passages and a question to the messages a reader is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragctx.prompts.fence import fence, harmless, label
from ragctx.prompts.templates import Templates
from ragctx.types import Passage, Question, Turn
from ragctx.work import Message


@dataclass(frozen=True, slots=True)
class Prompt:
    r"""How the prompts of one strategy are written.

    Attributes:
        templates: the texts.
        seed: what the fence is made from, the corpus's manifest.
        schema: JSON schema the answer must follow; empty for free text.

    Example:
        >>> from ragctx.prompts import shipped
        >>> prompt = Prompt(shipped(), seed="m")
        >>> system, user = prompt.messages([Passage("Rent is due.", (), "a.txt")], Question("When?"))
        >>> "[1] a.txt\nRent is due." in user.content, user.content.endswith("Question: When?\nAnswer:")
        (True, True)
    """

    templates: Templates
    seed: str
    schema: str = ""

    def messages(self, passages: Sequence[Passage], question: Question) -> tuple[Message, ...]:
        """The whole prompt: rules, then every passage in order under its number, then the question."""
        mark, shown = quoted(passages, self.seed)
        blocks = [self._block(i, *pair, mark) for i, pair in enumerate(shown, 1)]
        end = self.templates.fill("end", fence=mark)
        user = "\n".join([*blocks, end]) + "\n\n" + self.ask(question)
        return Message("system", self.templates.fill("system", fence=mark)), Message("user", user)

    def block(self, number: int, passage: Passage) -> str:
        """One passage as the prompt shows it, under a stand-in fence of the usual length: for counting."""
        return self._block(number, *_shown(passage), fence(self.seed, ()))

    def _block(self, number: int, source: str, text: str, mark: str) -> str:
        return self.templates.fill("passage", fence=mark, number=number, source=source, text=text)

    def ask(self, question: Question) -> str:
        """What stands after the documents."""
        text, refusal = harmless(question.text), self.templates.refusal
        kind = {"schema": self.schema} if self.schema else {}
        asked = self.templates.fill("data" if self.schema else "question", question=text, refusal=refusal, **kind)
        own = question.instructions.strip()
        extra = self.templates.fill("instructions", instructions=own) if own else ""
        return "\n".join(part for part in (asked, extra, "" if self.schema else self.templates.cue) if part)

    def repair(self, messages: Sequence[Message], reply: str, problem: str) -> tuple[Message, ...]:
        """The same prompt with the reply that was not valid and what is wrong with it."""
        again = self.templates.fill("repair", problem=harmless(problem))
        return (*messages, Message("assistant", harmless(reply)), Message("user", again))


def quoted(passages: Sequence[Passage], seed: str, others: Sequence[str] = ()) -> tuple[str, list[tuple[str, str]]]:
    """The mark that a prompt fences passages with, and each passage's label and text as the prompt shows them.

    Args:
        passages: in order.
        seed: what the mark is made from, the corpus's manifest.
        others: texts that the same mark is to fence.
    """
    shown = [_shown(passage) for passage in passages]
    return fence(seed, [*(part for pair in shown for part in pair), *others]), shown


def standalone(question: Question, templates: Templates) -> tuple[Message, ...]:
    """The prompt that turns a follow-up and its history into one question.

    Example:
        >>> from ragctx.prompts import shipped
        >>> [message] = standalone(Question("And pets?", history=(Turn("user", "Is rent due?"),)), shipped())
        >>> "user: Is rent due?" in message.content
        True
    """
    history = "\n".join(f"{turn.speaker}: {_line(turn)}" for turn in question.history)
    asked = harmless(question.text)
    return (Message("user", templates.fill("standalone", history=history, question=asked)),)


def _shown(passage: Passage) -> tuple[str, str]:
    """Named by the document's id, not its source: a full path costs tokens and says where things lie on a machine."""
    name = passage.spans[0].document if passage.spans and not passage.derived else passage.source
    return label(name, passage.page), harmless(passage.text)


def _line(turn: Turn) -> str:
    return " ".join(harmless(turn.text).split())
