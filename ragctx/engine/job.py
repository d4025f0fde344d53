"""What goes into the engine and what comes out: jobs in, outcomes and events out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from ragctx.engine.store import ReplyStore
from ragctx.types import Budget, Usage
from ragctx.work import Work

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job(Generic[T]):
    """One work for the engine to drive.

    Attributes:
        key: names the job in its outcome and events; the engine asks nothing of it.
        start: makes the work; called once, on a worker thread, so that it may look things up.
        budget: what the work may spend over all its requests.
        scope: jobs of one scope share sampled replies (temperature above 0) through the reply store, so that a resumed
            batch replays them. Without a scope sampled replies are never reused. Greedy ones are shared by everybody
            who uses the same store.
        store: keeps this job's replies, in place of the engine's own store; calls are shared within one store only.
    """

    key: str
    start: Callable[[], Work[T]]
    budget: Budget | None = None
    scope: str = ""
    store: ReplyStore | None = None


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """How a work ended: its value or its error, and the ledger either way.

    Attributes:
        requests: for each charge of the usage, the key of the request that it is for (see `reply_key`); None where its
            reply is not kept.

    Example:
        >>> Outcome("q-1", value="Three months.").result()
        'Three months.'
    """

    key: str
    value: T | None = None
    error: Exception | None = None
    usage: Usage = field(default_factory=Usage)
    requests: tuple[str | None, ...] = ()

    def result(self) -> T:
        """The value; the error is raised instead where there is one."""
        if self.error is not None:
            raise self.error
        return cast("T", self.value)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a work has come.

    Attributes:
        done: requests that have a reply. asked: requests made so far; a work may ask for more later.
        tokens: prompt plus output tokens billed so far.
    """

    key: str
    done: int
    asked: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Delta:
    """New text of the work's final completion.

    Attributes:
        restart: what was streamed before is void (a retry wrote something else): begin again with this text.
    """

    key: str
    text: str
    restart: bool = False


Event = Progress | Delta
Emit = Callable[[Event], None]
