"""One summary of many passages, however long they are: parts first where one call does not hold them, then of those."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ragctx.corpus import Corpus
from ragctx.errors import DoesNotFit, RequestFailed
from ragctx.grounding.echo import unfenced
from ragctx.models import ModelFacts
from ragctx.prompts.tasks import Task
from ragctx.prompts.texts import Texts, texts
from ragctx.strategies.chunk_sizes import chunk_tokens
from ragctx.strategies.portions import portions
from ragctx.types import Line, Passage, Range, Span
from ragctx.work import Completion, Generate, Message, Sampling, Work, raised

PURPOSE = "cluster summary"
# Of the texts that one call reads, where the window would hold more: what stands in the middle of more is lost.
PART = 4_000
# Words a token, about; a model is told words, and held to tokens.
_WORDS = 0.7
_SLOTS = {"part": ("WORDS",), "merge": ("WORDS",)}
# Tokens that an instruction and its fence take, about, and how much of its room a summary fills; for plans alone.
_AROUND, _FILLED = 160, 0.6


@dataclass(frozen=True, slots=True)
class Condensed:
    """A summary, and what it cost."""

    text: str
    prompt: int = 0
    output: int = 0


@dataclass(frozen=True, slots=True)
class Condenser:
    """Sums up passages.

    Attributes:
        corpus: where they stand. reader: who writes. most: tokens of a summary.
    """

    corpus: Corpus
    reader: ModelFacts
    most: int

    @property
    def task(self) -> Task:
        """How prompts are written."""
        return Task(said(), self.corpus.manifest)

    @property
    def room(self) -> int:
        """Tokens of texts that one call holds.

        Raises:
            DoesNotFit: not two summaries and the instruction fit the reader's window.
        """
        bare = self.reader.counter.render(self._messages("merge", [Passage(".", (), "x")]))
        room = PART if self.reader.window is None else min(PART, self.reader.window - bare - self.most)
        if room < 2 * (self.most + _heading(self.reader)):
            raise DoesNotFit(self.reader.name, bare + 3 * self.most, self.reader.window or 0)
        return room

    def condense(self, groups: Sequence[Sequence[Span]]) -> Work[list[Condensed]]:
        """A summary of each group of spans; the calls of all groups go out side by side, level by level.

        A group that is no longer than a summary stands as it is and costs no call, and a summary that is longer than
        what it was written from gives way to it.

        Args:
            groups: spans of the corpus, in order.

        Raises:
            RequestFailed: a call failed, or nothing was written. DoesNotFit: the reader's window holds too little.
        """
        levels = [self._first(spans) for spans in groups]
        bills = [Condensed("") for _ in groups]
        name = "part"
        while unwritten := [(g, parts) for g, parts in enumerate(levels) if self._unwritten(parts)]:
            waiting = [(g, p) for g, parts in unwritten for p in range(len(parts))]
            replies = yield [self._request(name, levels[g][p]) for g, p in waiting]
            written: dict[int, list[Passage]] = {}
            for (g, p), reply in zip(waiting, replies, strict=True):
                completion = raised(reply)
                assert isinstance(completion, Completion)
                bill = bills[g]
                bills[g] = Condensed("", bill.prompt + completion.prompt_tokens, bill.output + completion.output_tokens)
                written.setdefault(g, []).append(self._written(completion.text, levels[g][p]))
            for g, passages in written.items():
                levels[g] = self._packed(passages)
            name = "merge"
        return [replace(bill, text=_read(parts)) for bill, parts in zip(bills, levels, strict=True)]

    def _first(self, spans: Sequence[Span]) -> list[tuple[Passage, ...]]:
        passages = tuple(self.corpus.passage(span) for span in spans)
        if self.reader.counter.count(_read([passages])) <= self.most:
            return [(Passage(_read([passages]), (), "", derived=True),)]
        block, counter = self.task.block, self.reader.counter
        return list(portions(self.corpus, self.room, counter, block, spans=spans))

    def _unwritten(self, parts: list[tuple[Passage, ...]]) -> bool:
        """Whether there is more than one finished text."""
        return len(parts) > 1 or len(parts[0]) > 1 or not parts[0][0].derived

    def _packed(self, passages: Sequence[Passage]) -> list[tuple[Passage, ...]]:
        """Summaries, as many together as one call holds, two at least, so that every level has fewer."""
        packed: list[list[Passage]] = [[]]
        left = self.room
        for passage in passages:
            cost = self.reader.counter.count(passage.text) + _heading(self.reader)
            if cost > left and len(packed[-1]) > 1:
                packed.append([])
                left = self.room
            packed[-1].append(passage)
            left -= cost
        return [tuple(part) for part in packed]

    def _request(self, name: str, passages: Sequence[Passage]) -> Generate:
        messages = self._messages(name, passages)
        self.reader.must_fit(self.reader.counter.render(messages), self.most)
        return Generate(messages, purpose=PURPOSE, sampling=Sampling(max_tokens=self.most))

    def _messages(self, name: str, passages: Sequence[Passage]) -> tuple[Message, ...]:
        return self.task.messages(name, passages, words=max(10, round(self.most * _WORDS)))

    def _written(self, text: str, source: Sequence[Passage]) -> Passage:
        said = " ".join(unfenced(text, source, self.corpus.manifest).split())
        if not said:
            raise RequestFailed("empty", f"the {PURPOSE} of {len(source)} passages is empty: try another reader")
        count, whole = self.reader.counter.count, _read([tuple(source)])
        shorter = said if count(said) <= count(whole) else whole
        return Passage(shorter, (), "summary", derived=True)


def line(corpus: Corpus, reader: ModelFacts, most: int, groups: Range) -> Line:
    """What summing up a whole corpus takes: every text is read once, in parts, and the parts' summaries again.

    Args:
        corpus: what is summed up.
        reader: who writes.
        most: tokens of a summary.
        groups: how many groups there will be.
    """
    chunks, each = len(corpus.chunks), chunk_tokens(corpus, reader.counter)
    tokens = chunks * (each + _heading(reader))
    if not chunks or tokens <= most:
        return Line("reader", Range(0, 0, tokens), Range(0, 0, most), Range(0, 0, 1))
    room = PART if reader.window is None else max(1, min(PART, reader.window - _AROUND - most))
    parts = math.ceil(tokens / room)
    calls = Range(0, max(groups.expected, parts), 2 * (groups.high + parts))
    prompt = Range(0, tokens + calls.expected * _AROUND, 1.5 * tokens + calls.high * (_AROUND + most))
    return Line("reader", prompt, Range(0, calls.expected * _FILLED * most, calls.high * most), calls)


def said() -> Texts:
    """What the reader is told."""
    return texts(Path(__file__).with_name("texts") / "clustered.toml", _SLOTS)


def _heading(reader: ModelFacts) -> int:
    """Tokens of a passage's number, label and fence, about."""
    return reader.counter.count("<<document 0123456789>>\n[99] summary of passages\n") + 2


def _read(parts: Sequence[Sequence[Passage]]) -> str:
    return "\n".join(" ".join(passage.text.split()) for part in parts for passage in part)
