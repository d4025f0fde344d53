"""Walks the chains of one question, all of them a step at a time, and has the best notes chosen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ragctx.agents.chaining import Chain, message
from ragctx.corpus import Corpus
from ragctx.errors import RequestFailed
from ragctx.models import ModelFacts
from ragctx.prompts import Templates
from ragctx.prompts.replies import nothing
from ragctx.strategies.purse import Purse
from ragctx.types import Dropped, Passage, Span
from ragctx.work import Completion, Failure, Generate, Message, Sampling, Work

PURPOSE = "best notes"
# A number, and a word or two before it.
NUMBER = 8
_UNDECIDED = "the judge named no notes: those of the first order were answered from"


@dataclass(slots=True)
class Walked:
    """What the workers found.

    Attributes:
        notes: the last message of each order. read: numbers of the portions that a worker read.
        failed: what the failed calls said, for each portion that no worker read.
    """

    notes: list[str]
    read: set[int] = field(default_factory=set)
    failed: dict[int, Failure] = field(default_factory=dict)

    def spans(self, chain: Chain) -> tuple[Span, ...]:
        """What was read."""
        return tuple(span for number in sorted(self.read) for span in chain.cuts[number].spans)

    def dropped(self, chain: Chain) -> tuple[Dropped, ...]:
        """What was not, because calls failed."""
        return tuple(
            Dropped(span, f"the worker's call failed: {failure.message}")
            for number, failure in sorted(self.failed.items())
            for span in chain.cuts[number].spans
        )

    @property
    def told(self) -> tuple[str, ...]:
        """What a person should know."""
        if not self.failed:
            return ()
        first = next(iter(self.failed.values()))
        return (f"{len(self.failed)} of {len(self.failed) + len(self.read)} portions were not read: {first.message}",)


def walk(
    chain: Chain, order: Sequence[Sequence[int]], view: Corpus, purse: Purse, templates: Templates
) -> Work[Walked]:
    """Every worker's message in every order; the orders' workers of one step are asked together.

    Args:
        chain: what they are asked.
        order: the portions' numbers in each order.
        view: what is read.
        purse: of the question.
        templates: those that have the refusal.

    Raises:
        LimitError: window or budget do not hold a call. RequestFailed: all calls failed.
    """
    walked = Walked([""] * len(order))
    for step in zip(*order, strict=True):
        requests = [
            chain.request(number, _portion(view, chain.cuts[number].spans), notes)
            for number, notes in zip(step, walked.notes, strict=True)
        ]
        for request in requests:
            prompt = chain.facts.counter.render(request.messages)
            purse.check(prompt, request.sampling.max_tokens, facts=chain.facts)
        replies = yield requests
        for path, (number, reply) in enumerate(zip(step, replies, strict=True)):
            assert isinstance(reply, Completion | Failure)
            purse.paid(reply)
            if isinstance(reply, Failure):
                walked.failed[number] = reply
                continue
            walked.read.add(number)
            walked.notes[path] = message(reply, walked.notes[path], chain.message, chain.facts.counter, templates)
    walked.failed = {number: failure for number, failure in walked.failed.items() if number not in walked.read}
    if walked.failed and not walked.read:
        first = next(iter(walked.failed.values()))
        raise RequestFailed(first.kind, f"every worker's call failed: {first.message}")
    return walked


def chosen(chain: Chain, walked: Walked, judge: ModelFacts, purse: Purse) -> Work[tuple[str, tuple[str, ...]]]:
    """The notes that are answered from, and what a person should know of the choice.

    Args:
        chain: how prompts are written.
        walked: what the workers found.
        judge: facts of the model that chooses, where several orders ended with different notes.
        purse: of the question.
    """
    candidates = [notes for notes in dict.fromkeys(walked.notes) if not nothing(notes)]
    if len(candidates) < 2:
        return (candidates or [""])[0], ()
    messages = judging(chain, candidates)
    purse.check(judge.counter.render(messages), NUMBER, facts=judge)
    request = Generate(messages, role="judge", purpose=PURPOSE, sampling=Sampling(max_tokens=NUMBER), tolerant=True)
    [reply] = yield [request]
    assert isinstance(reply, Completion | Failure)
    purse.paid(reply)
    if isinstance(reply, Failure):
        return candidates[0], (f"{_UNDECIDED} ({reply.message})",)
    named = [int(number) for number in re.findall(r"\d+", reply.text) if 1 <= int(number) <= len(candidates)]
    return (candidates[named[0] - 1], ()) if named else (candidates[0], (_UNDECIDED,))


def judging(chain: Chain, candidates: Sequence[str]) -> tuple[Message, ...]:
    """The judge's prompt."""
    return chain.task.messages("judge", notes=candidates, question=chain.question)


def _portion(view: Corpus, spans: Sequence[Span]) -> tuple[Passage, ...]:
    return tuple(map(view.passage, spans))
