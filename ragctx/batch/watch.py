"""Listens to a work: what it asks is heard, what it is told passes through untouched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ragctx.work import Request, Work

T = TypeVar("T")


def watched(work: Work[T], hear: Callable[[Sequence[Request]], None]) -> Work[T]:
    """The same work; every batch of its requests is heard before the engine sees it.

    Example:
        >>> from ragctx.work import Completion, Generate, Message, ask, run
        >>> heard = []
        >>> work = watched(ask(Generate((Message("user", "Is it?"),), purpose="check")), heard.extend)
        >>> run(work, lambda requests: [Completion("yes")]).text, heard[0].purpose
        ('yes', 'check')
    """
    try:
        requests = next(work)
        while True:
            hear(requests)
            try:
                replies = yield requests
            except GeneratorExit:
                raise
            except Exception as error:  # noqa: BLE001 - the work's to see
                requests = work.throw(error)
            else:
                requests = work.send(replies)
    except StopIteration as done:
        value: T = done.value
        return value
    finally:
        work.close()
