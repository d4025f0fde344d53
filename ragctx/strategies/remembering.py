"""Lets work be done again with other figures, without asking a model the same thing twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from ragctx.errors import RagctxError
from ragctx.types.costs import UNMETERED_ROLES
from ragctx.work import Completion, Embed, Generate, Reply, Request, Rerank, Score, Work

T = TypeVar("T")


@dataclass(slots=True)
class Memory:
    """What was asked before, and what came back.

    Attributes:
        replies: by request. asked: how much was read for them, in characters or token ids: a measure of time.
        billed: tokens of language models among them, which count against a question's budget.
    """

    replies: dict[Request, Reply] = field(default_factory=dict)
    asked: int = 0
    billed: int = 0

    def note(self, requests: Sequence[Request], replies: Sequence[Reply]) -> None:
        """Keep replies to requests."""
        self.replies.update(zip(requests, replies, strict=True))
        self.asked += size(requests)
        for request, reply in zip(requests, replies, strict=True):
            if isinstance(reply, Completion) and request.role not in UNMETERED_ROLES:
                self.billed += reply.prompt_tokens + reply.output_tokens


def size(requests: Iterable[Request]) -> int:
    """How much models read for requests, in characters or token ids.

    Example:
        >>> size([Score("It is", " due."), Embed(("Rent is due.", "Pets?"))])
        27
    """
    return sum(map(len, (part for request in requests for part in _parts(request))))


def _parts(request: Request) -> Iterable[Sequence[object]]:
    match request:
        case Generate():
            return [message.content for message in request.messages]
        case Score():
            return [request.prefix, request.target]
        case Embed() | Rerank():
            return request.texts


def remembering(work: Work[T], memory: Memory, most: int | None = None) -> Work[T | None]:
    """The work itself, but what was asked before is answered from memory; None where it would have to ask too much.

    Args:
        work: not started yet.
        memory: what is known; what is asked is added to it.
        most: how much may be asked anew, as `size` measures it; None for any amount.
    """
    step: Callable[[Any], Sequence[Request]] = work.send
    given: object = None
    left = float("inf") if most is None else most
    try:
        while True:
            requests = step(given)
            step = work.send
            new = list(dict.fromkeys(request for request in requests if request not in memory.replies))
            left -= size(new)
            if left < 0:
                return None
            if new:
                try:
                    memory.note(new, (yield new))
                except RagctxError as error:
                    step, given = work.throw, error
                    continue
            given = [memory.replies[request] for request in requests]
    except StopIteration as done:
        return cast("T", done.value)
    finally:
        work.close()
