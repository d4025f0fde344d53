"""Runs what a job still has to do; killed at any moment, it goes on from there."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from ragctx.batch.ceiling import Ceiling
from ragctx.batch.events import Clock, Stopped, Tick
from ragctx.batch.results import PlannedRow, RowResult
from ragctx.batch.state import status
from ragctx.batch.store import JobStore
from ragctx.engine import Delta, Engine, Job, Outcome, Progress, accounted
from ragctx.errors import RagctxError, RequestFailed, StoreError
from ragctx.types import Answer, Decision, Question
from ragctx.work import Work

log = logging.getLogger(__name__)

Event = Tick | Stopped | Progress | Delta
MakeJob = Callable[[Question, Decision], Job[Answer]]


def run_job(
    store: JobStore,
    engine: Engine,
    make_job: MakeJob,
    *,
    max_cost: float | None = None,
    on_event: Callable[[Event], None] | None = None,
    notes: Iterable[str] | None = None,
) -> Iterator[RowResult]:
    """Ask every pending row and give back results as they finish, failures included.

    The job is locked while the iterator is alive. Leaving it early, Ctrl-C and kill -9 all leave a file that can be run
    again: rows with an answer are done, replies of the others are replayed. A failed row stays failed until
    `JobStore.retry_failed`. An error of the job file itself (disk full) ends the run and is raised.

    Args:
        store: the job.
        engine: drives the works; their replies are kept in the job, whatever store the engine has.
        make_job: the work of one question as it was planned.
        max_cost: money the whole job may spend; a row that is expected to pass it is not begun and stays pending.
        on_event: called with `Tick` after every row, the engine's `Progress`, and `Stopped` when rows are left.
        notes: what every answer repeats; all that the plan noted, if not given.

    Raises:
        StoreLocked: the job is running elsewhere. StoreFull, StoreError: the file cannot be written.
        ConfigError: a ceiling without known prices; an answer type that nobody gave back.
    """
    with store.lock():
        ceiling = Ceiling(max_cost, store.spent().money or 0.0)
        repeated = store.notes if notes is None else tuple(notes)
        run = _Run(store, engine, make_job, ceiling, on_event or _nobody, repeated)
        yield from run.results()


class _Run:
    """One run of a job: begins rows on the engine's puller thread, finishes them on the caller's."""

    def __init__(
        self,
        store: JobStore,
        engine: Engine,
        make_job: MakeJob,
        ceiling: Ceiling,
        tell: Callable[[Event], None],
        notes: tuple[str, ...],
    ) -> None:
        self._store, self._engine, self._make_job, self._ceiling, self._tell = store, engine, make_job, ceiling, tell
        self._models, self._notes = engine.models, notes
        self._clock = Clock.at(status(store))
        self._rows = store.every_pending()
        self._held: PlannedRow | None = None
        self._under_way: dict[str, PlannedRow] = {}

    def results(self) -> Iterator[RowResult]:
        """Every row that this run finishes."""
        self._store.replies.begin()
        self._store.stopped("")
        self._tell(self._clock.tick)
        try:
            while True:
                yield from self._round()
                if self._held is None or not self._ceiling.admits(self._held, self._store.unfinished(self._held)):
                    break
                self._ceiling.settle(self._held, None)  # only asked; the next round begins it
        except (KeyboardInterrupt, GeneratorExit):
            self._stop("stopped before the end: run the same job again and it goes on; nothing is lost")
            raise
        if self._held is not None:
            self._stop(_over(self._ceiling, self._held))

    def _round(self) -> Iterator[RowResult]:
        """Rows until there are none, or until what is under way leaves no room below the ceiling."""
        with contextlib.closing(self._engine.map(self._jobs(), on_event=self._tell)) as outcomes:
            for outcome in outcomes:
                row = self._under_way.pop(outcome.key)
                if not _cancelled(outcome):
                    yield self._finished(row, outcome)

    def _jobs(self) -> Iterator[Job[Answer]]:
        while (row := self._next()) is not None:
            if not self._ceiling.admits(row, self._store.unfinished(row)):
                self._held = row
                return
            self._under_way[row.question.id] = row
            yield self._job(row)

    def _next(self) -> PlannedRow | None:
        held, self._held = self._held, None
        return held or next(self._rows, None)

    def _job(self, row: PlannedRow) -> Job[Answer]:
        try:
            job = self._make_job(row.question, row.decision)
        except RagctxError as error:
            return Job(row.question.id, start=_raising(error))
        return replace(job, key=row.question.id, scope=row.key, store=self._store.replies)

    def _finished(self, row: PlannedRow, outcome: Outcome[Answer]) -> RowResult:
        self._ceiling.settle(row, outcome.usage.money)
        result = RowResult(row.position, row.question, row.decision)
        try:
            answer = accounted(outcome, row.question, row.decision, self._notes)
            answer = self._store.finish(row, answer, outcome.requests, self._models)
            result = replace(result, answer=answer, decision=answer.decision or row.decision)
        except StoreError:
            raise
        except Exception as error:  # whatever a strategy raised is its row's failure
            log.debug("question %s failed", row.question.id, exc_info=error)
            failure = self._store.fail(row, error, outcome.usage, outcome.requests)
            result = replace(result, failure=failure)
        self._tell(self._clock.count(result, outcome.usage.tokens))
        return result

    def _stop(self, reason: str) -> None:
        self._store.stopped(reason)
        self._tell(Stopped(reason, self._clock.tick.pending))


def _cancelled(outcome: Outcome[Answer]) -> bool:
    """Whether the engine gave the work up (it is closing): the row was not answered and did not fail."""
    return isinstance(outcome.error, RequestFailed) and outcome.error.kind == "cancelled"


def _over(ceiling: Ceiling, row: PlannedRow) -> str:
    return (
        f"{ceiling.spent:,.6g} of the {ceiling.most or 0:,.6g} that the job may cost is spent and question "
        f"{row.question.id!r} is expected to cost {row.money or 0:,.6g}: raise the ceiling and run the job again"
    )


def _raising(error: RagctxError) -> Callable[[], Work[Answer]]:
    def start() -> Work[Answer]:
        raise error

    return start


def _nobody(event: Event) -> None:
    """Takes events that nobody asked for."""
