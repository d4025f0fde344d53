"""One summary: what it is made from, when it is valid, and how it is asked for again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ragctx.corpus.sentences import bounds
from ragctx.errors import BudgetSpent
from ragctx.grounding import declined, sentences
from ragctx.models import ModelFacts
from ragctx.prompts import Templates
from ragctx.prompts.replies import nothing
from ragctx.prompts.tasks import Task
from ragctx.strategies.purse import Purse
from ragctx.types import Passage, Span
from ragctx.work import Completion, Failure, Generate, Message, Sampling, Work

# Words that a token of English is, on average: the published workflows ask for this many of a limit in tokens.
WORDS = 0.65
# The room for words shrinks by this share with every try.
SHRINK = 0.1
# How the first, the second and every later try are sampled: a greedy model would only say the same again.
WARMTH = (0.0, 0.5, 1.0)
_ENDS = re.compile(r"[.!?。！？…．｡؟।]['\"’”»)\]】」』*_]*$")
_LEAD = re.compile(r"^\s*(?:\*\*)?(?:here is |here's )?(?:an? |the )?(?:new |updated |final |short(?:er)? )*"
                   r"(?:summary|version)[^:\n]{0,60}:(?:\*\*)?\s*", re.IGNORECASE)  # fmt: skip
REPLACED = "a summary came out longer than its source: the source took its place"
FAILED = "a short source took the place of a summary that failed"
LOST = "no usable summary of it was written"
CUT = "a summary did not end within its limit: it was cut after its last whole sentence"


_SILENCE = Completion("")


@dataclass(frozen=True, slots=True)
class Wish:
    """A summary to be written.

    Attributes:
        text: name of the template. purpose: shown in the ledger. passages: what it is made from, as the prompt shows
            it. first: the number of the first. limit: most tokens of it.
        spans: of the documents, all that it rests on. role: who writes. values: of the template's further slots.
        source: what takes its place where that is shorter; empty where nothing may.
        final: it is the answer, and may stream.
    """

    text: str
    purpose: str
    passages: tuple[Passage, ...]
    limit: int
    spans: tuple[Span, ...]
    first: int = 1
    role: str = "reader"
    values: tuple[tuple[str, str], ...] = ()
    source: str = ""
    final: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """What was written; `text` is empty where the source had nothing to say."""

    text: str
    spans: tuple[Span, ...]
    completion: Completion = _SILENCE

    def passage(self, number: int) -> Passage:
        """It, as a prompt for the summary of summaries shows it."""
        return Passage(self.text, self.spans, f"part {number}", derived=True)


@dataclass(slots=True)
class Writer:
    """Asks for summaries, all of a batch in one go, and asks again for those that are not valid.

    Valid is what has text, keeps within its limit and ends as a sentence does. A wish may be tried `tries` times, each
    time with fewer words to fill; what comes of the last try is cut after its last whole sentence.

    Attributes:
        facts: of the model that reads the summaries: its tokens are counted. task: how prompts are written.
        asked: what is summed up, "" for everything. extra: the question's own instructions. templates: its refusal
            says that there is nothing. notes: what a person should know.
        read, lost: spans of the parts that a summary came of, and of those that none did.
    """

    facts: ModelFacts
    task: Task
    purse: Purse
    templates: Templates
    asked: str = ""
    extra: str = ""
    tries: int = 3
    notes: dict[str, None] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    read: list[Span] = field(default_factory=list)
    lost: list[Span] = field(default_factory=list)

    def write(self, wishes: Sequence[Wish], aside: int = 0) -> Work[list[Summary | None]]:
        """The summaries in order; None for one of which nothing usable came.

        Args:
            wishes: asked for together.
            aside: tokens that calls after these are sure to need.

        Raises:
            BudgetSpent: not even the first try was allowed.
        """
        done: dict[int, Summary | None] = {}
        last: dict[int, Completion] = {}
        for attempt in range(self.tries):
            waiting = [i for i in range(len(wishes)) if i not in done]
            chosen = waiting if attempt == 0 else list(self._afforded(wishes, waiting, attempt, aside))
            if not chosen:
                break
            try:
                replies = yield [self.request(wishes[i], attempt) for i in chosen]
            except BudgetSpent:
                if attempt == 0:
                    raise
                break
            for i, reply in zip(chosen, replies, strict=True):
                self.purse.paid(reply)  # type: ignore[arg-type]
                if isinstance(reply, Failure):
                    self.failures.append(reply)
                    done[i] = self._instead(wishes[i], FAILED)
                elif isinstance(reply, Completion):
                    last[i] = reply
                    if (summary := self.valid(wishes[i], reply)) is not None:
                        done[i] = summary
        return [done[i] if i in done else self._salvaged(wishes[i], last[i]) for i in range(len(wishes))]

    def again(self, wish: Wish, before: Completion) -> Work[list[Summary | None]]:
        """One more try at a wish that came out wrong, where there is money for it; else what can be made of it."""
        if self._afforded_at_all(wish):
            try:
                [reply] = yield [self.request(wish)]
            except BudgetSpent:
                reply = before
            else:
                self.purse.paid(reply)  # type: ignore[arg-type]
            if isinstance(reply, Completion):
                before = reply
        return [self.valid(wish, before) or self._salvaged(wish, before)]

    def book(self, wish: Wish, written: Summary | None) -> None:
        """Remember that a part was read, or that nothing came of it."""
        (self.lost if written is None else self.read).extend(wish.spans)

    def request(self, wish: Wish, attempt: int = 0) -> Generate:
        """The call of one try; only the first of the answer's own streams."""
        sampling = Sampling(
            max_tokens=wish.limit, temperature=WARMTH[min(attempt, len(WARMTH) - 1)], seed=attempt, sample=attempt
        )
        return Generate(
            self.messages(wish, attempt), wish.role, wish.purpose if not attempt else f"{wish.purpose} again",
            sampling, final=wish.final and not attempt, tolerant=True,
        )  # fmt: skip

    def messages(self, wish: Wish, attempt: int = 0) -> tuple[Message, ...]:
        """The prompt of one try."""
        words = max(5, int(wish.limit * WORDS * (1 - SHRINK) ** attempt))
        values: dict[str, Any] = {"question": self.asked, "words": words, "extra": self.extra}
        values |= {"nothing": self.templates.refusal, **dict(wish.values)}
        return self.task.messages(
            wish.text, wish.passages, first=wish.first,
            **{name: value for name, value in values.items() if self._uses(wish.text, name)},
        )  # fmt: skip

    def frame(self, wish: Wish) -> int:
        """Tokens of its prompt without the passages, but with the fence around them; with some to spare."""
        empty = Passage("", (), "x")
        rendered = self.facts.counter.render(
            self.messages(Wish(wish.text, "", (empty,), wish.limit, (), values=wish.values))
        )
        return rendered - self.facts.counter.count(self.task.block(1, empty)) + 8

    def valid(self, wish: Wish, reply: Completion) -> Summary | None:
        """The summary, if the reply is one; what says that there is nothing gives one without text."""
        text = tidied(reply.text)
        if text and self._nothing(text):
            return Summary("", wish.spans, reply)
        if (short := self._shorter_source(wish, text)) is not None:
            return short
        within = self.facts.counter.count(text) <= wish.limit
        return Summary(text, wish.spans, reply) if text and within and ended(text) else None

    def _nothing(self, text: str) -> bool:
        return nothing(text) or declined(text, self.templates)

    def _afforded(self, wishes: Sequence[Wish], waiting: Sequence[int], attempt: int, aside: int) -> Iterator[int]:
        """Those that may be tried again with what is left."""
        for i in waiting:
            prompt = self.facts.counter.render(self.messages(wishes[i], attempt))
            if self.purse.allows(prompt, wishes[i].limit, aside=aside):
                aside += prompt + wishes[i].limit
                yield i

    def _afforded_at_all(self, wish: Wish) -> bool:
        return bool(list(self._afforded([wish], [0], 0, 0)))

    def _salvaged(self, wish: Wish, reply: Completion) -> Summary | None:
        text = tidied(reply.text)
        ends = [end for _, end in bounds(text) if ended(text[:end])]
        fitting = [end for end in ends if self.facts.counter.count(text[:end]) <= wish.limit]
        if fitting:
            self.notes[CUT] = None
            return Summary(text[: fitting[-1]], wish.spans, reply)
        return self._instead(wish)

    def _shorter_source(self, wish: Wish, text: str) -> Summary | None:
        source = wish.source if len(wish.source) < len(text) else ""
        return self._instead(wish) if source else None

    def _instead(self, wish: Wish, why: str = REPLACED) -> Summary | None:
        """The source itself, where it is no longer than its summary may be."""
        if not wish.source or self.facts.counter.count(wish.source) > wish.limit:
            return None
        self.notes[why] = None
        return Summary(wish.source, wish.spans, Completion(wish.source))

    def _uses(self, text: str, slot: str) -> bool:
        return f"{{{slot}}}" in dict(self.task.texts.entries)[text]


def tidied(reply: str) -> str:
    """A reply without the line that announces a summary, marks of passages and blanks around it.

    Example:
        >>> tidied("Here is a summary of the text: Rent is due [1].")
        'Rent is due.'
    """
    return sentences(_LEAD.sub("", reply, count=1).strip().strip("`").strip())[0]


def ended(text: str) -> bool:
    """Whether a text ends as a sentence does, quotation marks and brackets aside.

    Example:
        >>> ended('He said "yes."'), ended("通知期间为三个月。"), ended("The rent is"), ended("")
        (True, True, False, False)
    """
    return bool(_ENDS.search(text.rstrip()))
