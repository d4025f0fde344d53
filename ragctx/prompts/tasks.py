"""From passages and a task to messages: what strategies with several calls say in all but their last one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ragctx.prompts.fence import fence, harmless
from ragctx.prompts.messages import quoted
from ragctx.prompts.templates import shipped
from ragctx.prompts.texts import Texts, texts
from ragctx.types import Passage
from ragctx.work import Message

_FILE = Path(__file__).with_name("tasks.toml")
_SLOTS = {"system": ("FENCE",), "notes": ("FENCE", "NAME", "TEXT")}


@dataclass(frozen=True, slots=True)
class Task:
    r"""How the prompts of one strategy's own tasks are written: documents first, then what is to be done with them.

    Attributes:
        texts: the strategy's templates. One that is called "system" takes the place of the common rule about the fence.
        seed: what the fence is made from, the corpus's manifest.

    Example:
        >>> task = Task(Texts((("note", "List what answers: {question}"),)), seed="m")
        >>> system, user = task.messages("note", [Passage("Rent is due.", (), "a.txt")], first=7, question="When?")
        >>> "[7] a.txt\nRent is due." in user.content, user.content.endswith("\n\nList what answers: When?")
        (True, True)
        >>> [message.role for message in task.messages("note", (), question="When?")]
        ['user']
    """

    texts: Texts
    seed: str

    def messages(
        self,
        name: str,
        /,
        passages: Sequence[Passage] = (),
        *,
        notes: Sequence[str] = (),
        first: int = 1,
        **values: object,
    ) -> tuple[Message, ...]:
        """The whole prompt: rules, passages numbered from `first`, then the template `name` filled with the values.

        Args:
            name: of the template.
            passages: in reading order.
            notes: what models wrote from the documents, behind the passages and under the same fence; with neither
                passages nor notes there is neither a fence nor a rule about it.
            first: number of the first passage.
            values: of the template's slots; control tokens in them are broken, as in passages.
        """
        asked = self.texts.fill(name, **{slot: harmless(str(value)) for slot, value in values.items()})
        return self.around(asked, passages, notes, first)

    def around(
        self, asked: str, passages: Sequence[Passage] = (), notes: Sequence[str] = (), first: int = 1
    ) -> tuple[Message, ...]:
        """As `messages`, around what is asked already."""
        if not passages and not notes:
            return (Message("user", asked),)
        written = [harmless(each) for each in notes]
        mark, shown = quoted(passages, self.seed, written)
        blocks = [_block(mark, number, *pair) for number, pair in enumerate(shown, first)]
        for number, text in enumerate(written, 1):
            name = f"notes {number}" if len(written) > 1 else "notes"
            blocks.append(_common().fill("notes", fence=mark, name=name, text=text))
        end = shipped().fill("end", fence=mark)
        return Message("system", self._system(mark)), Message("user", "\n".join([*blocks, end]) + "\n\n" + asked)

    def block(self, number: int, passage: Passage) -> str:
        """One passage as a prompt shows it, under a stand-in fence of the usual length: for counting."""
        _, [(source, text)] = quoted([passage], self.seed)
        return _block(fence(self.seed, ()), number, source, text)

    def repair(self, messages: Sequence[Message], reply: str, problem: str) -> tuple[Message, ...]:
        """The same prompt with the reply that was not valid and what is wrong with it."""
        again = shipped().fill("repair", problem=harmless(problem))
        return (*messages, Message("assistant", harmless(reply)), Message("user", again))

    def _system(self, mark: str) -> str:
        own = self.texts if "system" in self.texts else _common()
        return own.fill("system", fence=mark)


def _block(mark: str, number: int, source: str, text: str) -> str:
    return shipped().fill("passage", fence=mark, number=number, source=source, text=text)


@lru_cache(maxsize=1)
def _common() -> Texts:
    return texts(_FILE, _SLOTS)
