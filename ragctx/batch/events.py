"""What a running job tells whoever shows its progress."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from ragctx.batch.results import RowResult
from ragctx.batch.state import Status


@dataclass(frozen=True, slots=True)
class Tick:
    """After every row, and once before the first.

    Attributes:
        total, done, declined, failed: rows, over all runs; `done` includes the declined.
        finished: rows finished by this run. tokens: billed by this run. seconds: since this run began.
    """

    total: int
    done: int
    declined: int
    failed: int
    finished: int = 0
    tokens: int = 0
    seconds: float = 0.0

    @property
    def pending(self) -> int:
        """Rows still to be finished."""
        return self.total - self.done - self.failed

    @property
    def tokens_per_second(self) -> float:
        """Tokens billed by this run over its seconds."""
        return self.tokens / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At this run's pace; None before its first row.

        Example:
            >>> Tick(total=10, done=4, declined=0, failed=0, finished=2, seconds=3.0).seconds_left
            9.0
        """
        return self.pending * self.seconds / self.finished if self.finished else None


@dataclass(frozen=True, slots=True)
class Stopped:
    """The run ends with rows pending.

    Attributes:
        reason: what happened and what to do next. pending: rows left for the next run.
    """

    reason: str
    pending: int


@dataclass(slots=True)
class Clock:
    """Counts rows as they finish."""

    tick: Tick
    _began: float = field(default_factory=time.monotonic)

    @classmethod
    def at(cls, now: Status) -> Clock:
        """A clock that starts from where the job stands."""
        return cls(Tick(now.total, now.done, now.declined, now.failed))

    def count(self, result: RowResult, tokens: int) -> Tick:
        """One more row, and what this run was billed for it."""
        tick, answer = self.tick, result.answer
        self.tick = replace(
            tick,
            done=tick.done + (answer is not None),
            declined=tick.declined + (answer is not None and not answer.answerable),
            failed=tick.failed + (answer is None),
            finished=tick.finished + 1,
            tokens=tick.tokens + tokens,
            seconds=time.monotonic() - self._began,
        )
        return self.tick
