"""Which of the waiting requests go together, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ragctx.work import Embed, Generate, Request, Rerank, Score

T = TypeVar("T")


def block(waiting: Sequence[T], request: Callable[[T], Request], size: int) -> list[T]:
    """The next batch: one request class, neighbours in sorted order, and the oldest among them.

    All waiting requests of the oldest one's class are sorted so that shared prompt prefixes (or equal lengths) are
    neighbours, and cut into blocks of `size`; the block that holds the oldest goes. So prefixes stay together and
    nobody waits forever.

    Args:
        waiting: oldest first, not empty.
        request: a waiting thing's request.
        size: the most in a batch.

    Example:
        >>> texts = [Embed(("long text",)), Embed(("a",)), Embed(("longer text",)), Embed(("b",))]
        >>> [e.texts[0] for e in block(texts, lambda e: e, 2)]
        ['long text', 'longer text']
    """
    kind = type(request(waiting[0]))
    same = [item for item in waiting if type(request(item)) is kind]
    same.sort(key=lambda item: _place(request(item)))
    oldest = next(index for index, item in enumerate(same) if item is waiting[0])
    start = oldest - oldest % size
    return same[start : start + size]


def _place(request: Request) -> tuple[object, ...]:
    """Sorts requests of one class (and only those: the tuples differ)."""
    match request:
        case Generate():
            return tuple(part for message in request.messages for part in (message.role, message.content))
        case Score():
            parts = (request.prefix, request.target)  # text or ids, which have no common order
            return tuple(side for part in parts for side in (isinstance(part, str), part))
        case Embed():
            return request.query, max(map(len, request.texts), default=0)
        case Rerank():
            return request.query, max(map(len, request.texts), default=0)
