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
from typing import TYPE_CHECKING, Literal, TypeVar, cast

from ragctx.errors import RequestFailed

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat prompt."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a reader writes; every field is part of the cache key.

    Attributes:
        max_tokens: output ceiling in tokens. temperature: 0 is greedy.
        seed: of the random numbers. sample: index among several samples of one prompt.
        stop: strings at which writing ends. ignore_end: write all `max_tokens` (benchmarks only).
        logprobs: ask for the log-probability of every written token.
    """

    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    sample: int = 0
    stop: tuple[str, ...] = ()
    ignore_end: bool = False
    logprobs: bool = False


@dataclass(frozen=True, slots=True)
class Generate:
    """Write a completion of a chat prompt.

    Attributes:
        role: which of the pipeline's models is meant. purpose: shown in the ledger.
        schema: JSON schema the output must follow, as canonical JSON text; empty means free text.
        final: the one request of a work whose tokens stream to the user.
        tolerant: a failure comes back in the slot instead of being raised.
    """

    messages: tuple[Message, ...]
    role: str = "reader"
    purpose: str = "answer"
    sampling: Sampling = Sampling()
    schema: str = ""
    final: bool = False
    tolerant: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """Log-probabilities of given text: of every token of `target` after `prefix`."""

    prefix: str
    target: str
    role: str = "scorer"
    purpose: str = "score"
    tolerant: bool = False


@dataclass(frozen=True, slots=True)
class Embed:
    """Vectors of texts, one row each, L2-normalised; `query` asks for the encoder's query form."""

    texts: tuple[str, ...]
    query: bool = False
    role: str = "encoder"
    purpose: str = "embed"
    tolerant: bool = False


@dataclass(frozen=True, slots=True)
class Rerank:
    """Relevance of every text to one query, 0 to 1."""

    query: str
    texts: tuple[str, ...]
    role: str = "ranker"
    purpose: str = "rerank"
    tolerant: bool = False


@dataclass(frozen=True, slots=True)
class Completion:
    """What a reader wrote, and what it billed.

    Attributes:
        prompt_tokens: as billed. cached_tokens: part of them served from a prefix cache.
        logprobs: one for each output token when asked for, else empty.
        finish: "stop" (ended by itself), "length" (cut at max_tokens), "loop" (ended as it repeated itself), "filter"
            or "tool".
        exact: token counts are the model's own; False where the server sent none and they were estimated.
    """

    text: str
    prompt_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    logprobs: tuple[float, ...] = ()
    finish: str = "stop"
    seconds: float = 0.0
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Scores:
    """Log-probability and token id of every target token, with character offsets into the target."""

    logprobs: tuple[float, ...]
    tokens: tuple[int, ...] = ()
    offsets: tuple[tuple[int, int], ...] = ()
    prompt_tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Vectors:
    """One row for each text, float32, shape (len(texts), dimensions)."""

    rows: np.ndarray
    tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Relevances:
    """One probability for each text."""

    values: tuple[float, ...]
    tokens: int = 0
    seconds: float = 0.0


FailureKind = Literal[
    "refused", "timeout", "rate_limit", "server", "malformed", "empty", "too_long", "unauthorised", "bad_request",
    "cancelled", "crashed",
]  # fmt: skip
RETRYABLE: frozenset[str] = frozenset({"refused", "timeout", "rate_limit", "server", "malformed", "empty"})


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that got no usable reply.

    Attributes:
        kind: what went wrong; the kinds in `RETRYABLE` are tried again by the engine.
        message: what happened and what to do next, fit to be shown to a person.
        retry_after: seconds the server asked to wait, where it said.
        attempts: how many times it was tried.
        prompt_tokens: billed although the reply is unusable (an empty or malformed completion).
        output_tokens: likewise.
    """

    kind: FailureKind
    message: str
    retry_after: float | None = None
    attempts: int = 1
    prompt_tokens: int = 0
    output_tokens: int = 0


Request = Generate | Score | Embed | Rerank
Success = Completion | Scores | Vectors | Relevances
Reply = Success | Failure
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
