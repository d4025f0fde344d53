"""Tries a request again when trying again can help (by stamina: exponential backoff with jitter)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from typing import cast

from ragctx.work import RETRYABLE, Failure, Reply


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait between attempts, in seconds.

    Attributes:
        initial: before the second attempt; doubled each time. longest: the most for one wait.
        jitter: the most added at random, so that refused callers do not come back all at once.
        patience: a server that asks to wait longer than this is not asked again.
    """

    initial: float = 0.5
    longest: float = 30.0
    jitter: float = 1.0
    patience: float = 120.0


class _Again(Exception):
    """Carries a failure worth another attempt through stamina."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


async def attempt(
    once: Callable[[], Awaitable[Reply]], may_retry: Callable[[Failure], bool], attempts: int, backoff: Backoff
) -> Reply:
    """The first usable reply, or the last failure with its number of attempts.

    Args:
        once: makes one attempt.
        may_retry: the last word on another attempt (budget).
        attempts: the most attempts.
        backoff: the waits.
    """

    def again(reply: Reply) -> bool:
        return isinstance(reply, Failure) and _worth(reply, backoff) and may_retry(reply)

    reply = await once()
    if attempts == 1 or not again(reply):
        return reply
    return await _try_on(reply, once, again, attempts, backoff)


async def _try_on(
    first: Reply,
    once: Callable[[], Awaitable[Reply]],
    again: Callable[[Reply], bool],
    attempts: int,
    backoff: Backoff,
) -> Reply:
    """Go on after a first failure, which stamina is told of as its own first trial."""
    import stamina  # here, since most processes never see a failure

    _say_nothing()
    number, reply, worth = 1, first, True
    try:
        async for trial in stamina.retry_context(
            on=_wait,
            attempts=attempts,
            timeout=None,
            wait_initial=backoff.initial,
            wait_max=backoff.longest,
            wait_jitter=backoff.jitter,
        ):
            number = trial.num
            with trial:
                if number > 1:
                    reply = await once()
                    worth = number < attempts and again(reply)
                if worth:
                    raise _Again(cast("Failure", reply))
    except _Again as last:  # stamina's retries are switched off in this process
        reply = last.failure
    return replace(reply, attempts=number) if isinstance(reply, Failure) else reply


@cache
def _say_nothing() -> None:
    """Keep our own waits out of stamina's log: an outcome says what failed, and attempts that helped are no news.

    Other users of stamina in this process are told as before.
    """
    from stamina.instrumentation import RetryDetails, RetryHook, get_on_retry_hooks, set_on_retry_hooks

    def of_others(hook: RetryHook) -> RetryHook:
        def tell(details: RetryDetails) -> AbstractContextManager[None] | None:
            return None if isinstance(details.caused_by, _Again) else hook(details)

        return tell

    set_on_retry_hooks([of_others(hook) for hook in get_on_retry_hooks()])


def _wait(error: Exception) -> bool | float:
    if not isinstance(error, _Again):
        return False
    asked = error.failure.retry_after
    return True if asked is None else asked


def _worth(failure: Failure, backoff: Backoff) -> bool:
    return failure.kind in RETRYABLE and (failure.retry_after or 0) <= backoff.patience
