"""The prompts of recycled demonstrations: a few paragraphs turned into pairs, then the context with the pairs."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ragctx.agents.examples import Example, others
from ragctx.agents.verbatim import Source
from ragctx.corpus import Corpus
from ragctx.errors import BadQuestion
from ragctx.grounding.words import content
from ragctx.models import Models
from ragctx.prompts.fence import harmless
from ragctx.prompts.replies import numbers
from ragctx.prompts.tasks import Task
from ragctx.prompts.texts import texts
from ragctx.strategies.chunk_sizes import chunk_tokens
from ragctx.strategies.limits import Ceiling
from ragctx.strategies.purse import Purse
from ragctx.types import Passage, Question, Span
from ragctx.work import Completion, Generate, Message, Reply, Sampling

_FILE = Path(__file__).with_name("texts") / "recycled.toml"
_SLOTS = {
    "pair": (),
    "answer": ("demonstrations", "QUESTION", "refusal"),
    "shown": ("QUESTION", "NUMBER", "ANSWER"),
}
# Tokens of one pair, at most and expected; and of the words around it in a demonstration.
PAIR, PAIRED, AROUND = 64, 18, 14
# A paragraph with fewer characters has nothing to ask about; so many times k are looked at to find longer ones.
_SHORT, _TRIED = 80, 4
# Share of a demonstration's answer that its paragraph must hold, and the tokens of a passage's heading.
_HELD, _HEADING = 0.5, 16
_PAIR = re.compile(
    r"^\W*(?:question\W*:)?\s*(?P<question>[^\n]+?)\s*\n+\W*answer\W*:\s*(?P<answer>[^\n]+)", re.IGNORECASE
)
_ANSWER = re.compile(r"(?:^|[\n\s\]])\W*answer\W*:\s*", re.IGNORECASE)
_STOP = ("\nQuestion:",)


@dataclass(frozen=True, slots=True)
class Pair:
    """A question that one passage answers, and the passage's number in the prompt."""

    question: str
    answer: str
    number: int


def paragraphs(view: Corpus, count: int, seed: int) -> tuple[Passage, ...]:
    """A few paragraphs of what may be read, in document order: the same for every question on it."""
    chunks = view.chunks
    told = hashlib.sha256(f"{view.manifest} {seed}".encode()).digest()
    tried = random.Random(told).sample(range(len(chunks)), min(len(chunks), _TRIED * count))  # noqa: S311 - no secret
    long = [i for i in tried if len(chunks[i]) >= _SHORT]
    chosen = [*long, *(i for i in tried if i not in set(long))][:count]
    return tuple(view.passage(chunks[i]) for i in sorted(chosen))


def whole(view: Corpus, models: Models, room: int) -> bool:
    """Whether all that may be read fits a room, each chunk under a heading of its own."""
    return view.tokens(models.reader) + _HEADING * len(view.chunks) <= room


def affordable(view: Corpus, models: Models, room: int, count: int) -> int:
    """How many paragraphs may be shown for the demonstrations' sake: half the room is for what a search finds."""
    if whole(view, models, room):
        return count
    return min(count, int(room / 2 // chunk_tokens(view, models.reader.counter)))


@dataclass(frozen=True, slots=True)
class Recycling:
    """What one question asks of the reader.

    Attributes:
        question: standing alone. view: what it may read. models: facts.
        chosen: the paragraphs that become demonstrations. room: most tokens of passages.
        output: most tokens of the last reply. refusal: what it says where no text tells.
        spent: tokens the question was billed before.
    """

    question: Question
    view: Corpus
    models: Models
    chosen: tuple[Passage, ...]
    room: int
    output: int
    refusal: str
    spent: int = 0

    @property
    def small(self) -> list[int]:
        """Prompt tokens of the small calls."""
        return [self.models.reader.counter.render(self._pair(passage)) for passage in self.chosen]

    @property
    def whole(self) -> bool:
        """Whether all that may be read has room, each chunk under a heading of its own."""
        return whole(self.view, self.models, self.room) and self.view.tokens(self.models.reader) + _HEADING * len(
            self.view.chunks
        ) <= self.most() - self.count(())

    def check(self, purse: Purse) -> None:
        """Refuse, before anything is spent, what leaves no room for a single paragraph.

        Raises:
            LimitError: window or budget are too small.
        """
        last = self.count(()) + self.reserved() + _HEADING
        for prompt in self.small:
            purse.facts.must_fit(prompt, PAIR)
        purse.facts.must_fit(last, self.output)
        purse.check_all([*((prompt, PAIR) for prompt in self.small), (last, self.output)])

    def reserved(self) -> int:
        """Tokens that demonstrations take at most."""
        return (PAIR + AROUND) * len(self.chosen)

    def count(self, passages: Sequence[Passage], shown: str = "") -> int:
        """Tokens of the last prompt."""
        return self.models.reader.counter.render(self._last(passages, shown))

    def filled(self, found: Sequence[Passage]) -> tuple[Passage, ...]:
        """The passages that are read, in document order: the chosen ones, then what was found, as many as fit."""
        order = {document.id: number for number, document in enumerate(self.view.documents)}
        wanted = [self.view.passage(self.view.chunks[i]) for i in range(len(self.view.chunks))] if self.whole else found
        every = list({p.spans: p for p in (*wanted[:1], *self.chosen, *wanted) if p.spans}.values())
        counter, task = self.models.reader.counter, self._task()
        left, taken = self.most() - self.count(()), list[Passage]()
        for passage in every:
            cost = counter.count(task.block(999, passage)) + 1
            if cost <= left:
                taken.append(passage)
                left -= cost
        taken.sort(key=lambda passage: (order[passage.spans[0].document], passage.spans[0]))
        while taken and self.count(taken) > self.most():
            taken.pop()
        return tuple(taken)

    def requests(self) -> list[Generate]:
        """The small calls; one that fails is a demonstration less."""
        sampling = Sampling(max_tokens=PAIR)
        return [
            Generate(self._pair(passage), purpose="recycle", sampling=sampling, tolerant=True)
            for passage in self.chosen
        ]

    def pairs(self, replies: Sequence[Reply], passages: Sequence[Passage]) -> list[Pair]:
        """The demonstrations: those whose answer their paragraph holds, and that do not ask what is asked now."""
        places = {passage.spans: number for number, passage in enumerate(passages, 1)}
        found = []
        for reply, passage in zip(replies, self.chosen, strict=True):
            example = _example(reply, passage) if isinstance(reply, Completion) else None
            if example is not None and passage.spans in places and others([example], self.question):
                found.append(Pair(example.question, example.answer, places[passage.spans]))
        return sorted(found, key=lambda pair: pair.number)

    def last(self, passages: Sequence[Passage], pairs: Sequence[Pair], *, logprobs: bool) -> Generate:
        """The answering call."""
        filled = [
            self._task().texts.fill("shown", question=harmless(p.question), number=p.number, answer=harmless(p.answer))
            for p in pairs
        ]
        shown = "".join(f"{text}\n\n" for text in filled)
        while shown and self.count(passages, shown) > self.most() + self.reserved():
            filled.pop()
            shown = "".join(f"{text}\n\n" for text in filled)
        sampling = Sampling(max_tokens=self.output, logprobs=logprobs, stop=_STOP)
        return Generate(self._last(passages, shown), purpose="answer", sampling=sampling)

    def most(self) -> int:
        """Most tokens of the last prompt without its demonstrations."""
        before = self.spent + sum(self.small) + PAIR * len(self.chosen)
        most = Ceiling.of(self.models.reader, self.output, self.question, before).tokens
        room = self.count(()) + self.room
        return room if most is None else min(room, most - self.reserved())

    def _pair(self, passage: Passage) -> tuple[Message, ...]:
        return self._task().messages("pair", (passage,))

    def _last(self, passages: Sequence[Passage], shown: str) -> tuple[Message, ...]:
        read = passages or (Passage("", (), "x"),)
        asked = self.question.text
        own = self.question.instructions.strip()
        asked = f"{asked} {own}" if own else asked
        return self._task().messages("answer", read, demonstrations=shown, question=asked, refusal=self.refusal)

    def _task(self) -> Task:
        return Task(texts(_FILE, _SLOTS), self.view.manifest)


def taken_apart(reply: str) -> tuple[str, tuple[int, ...]]:
    r"""The answer in a reply, and the numbers that stand before it; a reply without numbers first is all answer.

    Example:
        >>> taken_apart("[2] [7]\nAnswer: Three months."), taken_apart("Three months [2].")
        (('Three months.', (2, 7)), ('Three months [2].', ()))
    """
    cue = _ANSWER.search(reply)
    if cue is not None and reply[cue.end() :].strip():
        return reply[cue.end() :].strip(), tuple(numbers(reply[: cue.start() + 1]))
    leading = re.match(r"(?:\s*\[[\d,; ]+\])+\s*", reply)
    if leading is not None and reply[leading.end() :].strip(" .:"):
        return reply[leading.end() :].strip(), tuple(numbers(leading.group()))
    return reply, ()


def _example(reply: Completion, passage: Passage) -> Example | None:
    """What a small call made of a paragraph; None where it is no pair, or the paragraph does not hold the answer."""
    found = _PAIR.search(reply.text.strip())
    if found is None:
        return None
    answer = found["answer"].strip()
    words = content(answer)
    held = len(words & content(passage.text)) / len(words) if words else 0.0
    if held < _HELD and Source(passage.text).find(answer) is None:
        return None
    try:
        return Example(found["question"].strip(), answer)
    except BadQuestion:
        return None


def unread(found: Sequence[Passage], read: Sequence[Passage]) -> list[Span]:
    """Spans that were found and not read."""
    there = {span for passage in read for span in passage.spans}
    return [span for passage in found for span in passage.spans if span not in there]
