"""The sans-I/O contract: work yields requests, is sent replies, and returns its result.

    Work[T] = Generator[Sequence[Request], Sequence[Reply], T]

Work never calls a model, sleeps, retries or opens a socket. It yields a batch of requests and is sent one reply for
each, in the same order. A request that failed for good arrives as `RequestFailed` raised at the `yield`, unless it
said `tolerant=True`: then the `Failure` stands in its slot. Works compose with `yield from`; one that needs no model
returns without yielding. The engine (`ragctx.engine`) drives thousands at once; `run` drives one alone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, cast

from ragctx.errors import RequestFailed
from ragctx.requests import (
    RETRYABLE,
    Completion,
    Embed,
    Failure,
    FailureKind,
    Generate,
    Message,
    Relevances,
    Reply,
    Request,
    Rerank,
    Sampling,
    Score,
    Scores,
    Stretch,
    Success,
    Vectors,
    abilities,
)

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "RETRYABLE",
    "Answerer",
    "Completion",
    "Embed",
    "Failure",
    "FailureKind",
    "Generate",
    "Message",
    "Recorder",
    "Relevances",
    "Reply",
    "Request",
    "Rerank",
    "Sampling",
    "Score",
    "Scores",
    "Stretch",
    "Success",
    "Vectors",
    "Work",
    "abilities",
    "ask",
    "check",
    "embed",
    "fits",
    "raised",
    "run",
]

T = TypeVar("T")
Work = Generator[Sequence[Request], Sequence[Reply], T]
Answerer = Callable[[Sequence[Request]], Sequence[Reply]]

_FITS: dict[type, type] = {Generate: Completion, Score: Scores, Embed: Vectors, Rerank: Relevances}


def ask(request: Generate) -> Work[Completion]:
    """Work that asks for one completion, to be used with `yield from`."""
    [reply] = yield [request]
    return cast("Completion", raised(reply))


def embed(texts: Sequence[str], *, query: bool = False, role: str = "encoder") -> Work[np.ndarray]:
    """Vectors of texts as one array."""
    [reply] = yield [Embed(tuple(texts), query=query, role=role)]
    return cast("Vectors", raised(reply)).rows


def raised(reply: Reply) -> Success:
    """The reply itself; a failure is raised.

    Raises:
        RequestFailed: the reply is a failure.
    """
    if isinstance(reply, Failure):
        raise RequestFailed(reply.kind, reply.message)
    return reply


def fits(request: Request, reply: object) -> bool:
    """Whether it is a reply of the kind that the request asks for."""
    return isinstance(reply, _FITS[type(request)])


def check(requests: Sequence[Request], replies: Sequence[Reply]) -> None:
    """One reply of the fitting kind for each request; failures only where they are tolerated.

    Raises:
        RequestFailed: a request that does not tolerate it failed.
        TypeError: a backend sent the wrong number or kind of replies.
    """
    if len(requests) != len(replies):
        raise TypeError(f"{len(requests)} requests got {len(replies)} replies")
    for request, reply in zip(requests, replies, strict=True):
        if isinstance(reply, Failure):
            if not request.tolerant:
                raise RequestFailed(reply.kind, reply.message)
        elif not fits(request, reply):
            raise TypeError(f"a {type(request).__name__} request got a {type(reply).__name__} reply")


def run(work: Work[T], answer: Answerer | None = None) -> T:
    """Drive one work alone, without engine, budget or cache.

    Args:
        work: a generator that has not been started.
        answer: replies to each batch of requests; not needed by work that yields none.

    Raises:
        RuntimeError: the work asked for a model and `answer` was not given.
        RequestFailed: a request failed and neither it nor the work tolerated that.

    Example:
        >>> def greet() -> Work[str]:
        ...     completion = yield from ask(Generate((Message("user", "Hello"),)))
        ...     return completion.text.upper()
        >>> run(greet(), lambda requests: [Completion("hi") for _ in requests])
        'HI'
    """
    send: Callable[[], Sequence[Request]] = lambda: next(work)  # noqa: E731 - rebound below
    while True:
        try:
            requests = send()
        except StopIteration as done:
            return cast("T", done.value)
        if answer is None:
            work.close()
            raise RuntimeError(f"this work asks for {type(requests[0]).__name__}: give run() something that answers")
        send = _next_step(work, requests, answer(requests))


def _next_step(work: Work[T], requests: Sequence[Request], replies: Sequence[Reply]) -> Callable[[], Sequence[Request]]:
    try:
        check(requests, replies)
    except RequestFailed as failed:
        error = failed
        return lambda: work.throw(error)
    return lambda: work.send(replies)


@dataclass(slots=True)
class Recorder:
    """An answerer that keeps every batch it saw: for tests of strategies without a model.

    Example:
        >>> recorder = Recorder(lambda request: Completion("yes"))
        >>> run(ask(Generate((Message("user", "Is it?"),))), recorder).text, len(recorder.batches)
        ('yes', 1)
    """

    reply: Callable[[Request], Reply]
    batches: list[tuple[Request, ...]] = field(default_factory=list)

    def __call__(self, requests: Sequence[Request]) -> list[Reply]:
        """Keep the batch, then reply to each of its requests."""
        self.batches.append(tuple(requests))
        return [self.reply(request) for request in requests]
