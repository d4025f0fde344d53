"""Runs strategies one after the other for one question, and remembers what each was asked, read and billed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from ragctx.contracts import Strategy
from ragctx.corpus import Corpus
from ragctx.errors import BudgetSpent, LimitError, RagctxError
from ragctx.models import Models
from ragctx.registry import make
from ragctx.types import Answer, Budget, Coverage, Question
from ragctx.types.costs import UNMETERED_ROLES
from ragctx.work import Completion, Failure, Generate, Relevances, Reply, Request, Work

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """One strategy of several.

    Attributes:
        label: how notes call it. tag: what its calls' purposes end in, in the ledger; empty leaves them as they are.
    """

    label: str
    strategy: Strategy
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One strategy's answer, and what is known about how it came to it.

    Attributes:
        read: the text of the last prompt; empty where no model wrote.
        logprobs: of the last completion's tokens; none where the reader does not tell them.
        relevances: of the passages a ranker last weighed, 0 to 1.
    """

    step: str
    answer: Answer
    question: Question
    read: str = ""
    logprobs: tuple[float, ...] = ()
    relevances: tuple[float, ...] = ()


@dataclass(slots=True)
class Watch:
    """What a work asked and got so far.

    Attributes:
        tokens: billed by models that write; what a failed call may have billed is counted at its most. calls: theirs.
    """

    models: Models
    tokens: int = 0
    calls: int = 0
    read: str = ""
    logprobs: tuple[float, ...] = ()
    relevances: tuple[float, ...] = ()
    _asked: Sequence[Request] = field(default=())

    def asked(self, requests: Sequence[Request]) -> None:
        """Requests that go out now."""
        self._asked = requests

    def got(self, replies: Sequence[Reply]) -> None:
        """Their replies."""
        for request, reply in zip(self._asked, replies, strict=True):
            if isinstance(request, Generate):
                self._wrote(request, reply)
            elif isinstance(reply, Relevances):
                self.relevances = reply.values

    def failed(self) -> None:
        """One of the requests failed: nobody says what they billed together."""
        writing = [one for one in self._asked if isinstance(one, Generate)]
        self.calls += len(writing)
        self.tokens += sum(self._most(one) for one in writing)

    def _wrote(self, request: Generate, reply: Reply) -> None:
        self.calls += request.role not in UNMETERED_ROLES
        if isinstance(reply, Completion):
            self.tokens += reply.prompt_tokens + reply.output_tokens
            self.read = "\n".join(message.content for message in request.messages if message.role == "user")
            self.logprobs = reply.logprobs
        elif isinstance(reply, Failure):
            self.tokens += reply.prompt_tokens + reply.output_tokens

    def _most(self, request: Generate) -> int:
        return self.models.of(request.role).counter.render(request.messages) + request.sampling.max_tokens


def named(chosen: str | Strategy) -> Strategy:
    """The strategy itself, or the registered one of a name.

    Raises:
        UnknownName: nobody registered the name.
    """
    return cast("Strategy", make("strategies", chosen)) if isinstance(chosen, str) else chosen


def attempted(
    step: Step, question: Question, corpus: Corpus, models: Models, watch: Watch, *, last: bool
) -> Work[Attempt]:
    """One strategy's attempt, within what the question may still spend.

    Args:
        step: what is tried.
        question: with its whole budget; what `watch` saw is taken off.
        corpus: the documents.
        models: facts about the models.
        watch: goes on counting.
        last: nothing can follow, so its text may stream; what may yet be thrown away does not.

    Raises:
        LimitError: it does not fit the window or what is left of the budget. RequestFailed: a model failed.
    """
    watch.read, watch.logprobs, watch.relevances = "", (), ()
    rest = replace(question, budget=left(question.budget, watch))
    if rest.budget is not None and rest.budget.calls == 0 and watch.calls:
        raise BudgetSpent("calls", 1, 0)
    work = step.strategy.read(rest, corpus, models)
    answer = yield from watched(work, watch, lambda one: _marked(one, step.tag, last=last))
    return Attempt(step.label, answer, question, watch.read, watch.logprobs, watch.relevances)


def most_read(coverages: Sequence[Sequence[Coverage]]) -> tuple[Coverage, ...]:
    """For every document the most that one of the attempts read of it; together they may have read a little more."""
    best: dict[str, Coverage] = {}
    for one in (one for coverage in coverages for one in coverage):
        if one.document not in best or one.read > best[one.document].read:
            best[one.document] = one
    return tuple(best.values())


def left(budget: Budget | None, watch: Watch) -> Budget | None:
    """What is left of a budget in tokens and calls; money and seconds are the engine's to watch."""
    if budget is None:
        return None
    tokens = None if budget.tokens is None else max(0, budget.tokens - watch.tokens)
    calls = None if budget.calls is None else max(0, budget.calls - watch.calls)
    return replace(budget, tokens=tokens, calls=calls)


def watched(work: Work[T], watch: Watch, change: Callable[[Request], Request]) -> Work[T]:
    """The work itself, every request changed on its way out and every reply seen on its way back.

    Args:
        work: not started yet.
        watch: told of requests and replies.
        change: what goes out in place of a request.
    """
    send: Callable[[Any], Sequence[Request]] = work.send
    given: object = None
    try:
        while True:
            requests = [change(one) for one in send(given)]
            watch.asked(requests)
            try:
                replies = yield requests
            except RagctxError as error:
                send, given = work.throw, error
                _count(error, watch)
                continue
            watch.got(replies)
            send, given = work.send, replies
    except StopIteration as done:
        return cast("T", done.value)
    finally:
        work.close()


def _count(error: RagctxError, watch: Watch) -> None:
    """A request that was refused for the budget was not sent; one that failed was."""
    if not isinstance(error, LimitError):
        watch.failed()


def _marked(request: Request, tag: str, *, last: bool) -> Request:
    if not isinstance(request, Generate):
        return request
    purpose = f"{request.purpose}, {tag}" if tag else request.purpose
    if not request.final:
        return replace(request, purpose=purpose)
    return replace(request, purpose=purpose, final=last, sampling=replace(request.sampling, logprobs=True))
