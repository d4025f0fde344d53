"""The job file: questions, plan and configuration frozen before the first call; replies, answers and failures after.

A row's answer is written last, in one transaction with the rest of its charges, so its existence means done.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from ragctx.batch import freeze, queries
from ragctx.batch.codec import dump, load
from ragctx.batch.database import Database, telling
from ragctx.batch.keys import read_question
from ragctx.batch.ledger import settle
from ragctx.batch.lock import JobLock
from ragctx.batch.replies import JobReplies
from ragctx.batch.results import PlannedRow, RowFailure, RowResult, Spent
from ragctx.engine import overrun
from ragctx.errors import StoreCorrupt
from ragctx.models import Models
from ragctx.questions import Questions
from ragctx.types import Answer, Decision, Question, Usage

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ragctx.routing import Plan

PAGE = 200


class JobStore:
    """One batch job in one SQLite file that only its user may read.

    `create` freezes everything; `open` never plans again. Any number of processes may look at a job; the one that runs
    it holds `lock()`. A store is a context manager.

    Attributes:
        path: of the file. replies: the engine's reply store, on the same file.

    Example:
        >>> from tempfile import mkdtemp
        >>> from ragctx.types import Answer, Decision, Question
        >>> from ragctx.routing import Plan, PlanRow
        >>> question = Question("What is the notice period?", id="notice")
        >>> plan = Plan((PlanRow(question, Decision("full", "it is short")),))
        >>> with JobStore.create(Path(mkdtemp(), "q.sqlite"), plan, {"reader": "scripted"}, [question]) as job:
        ...     [row] = job.pending()
        ...     _ = job.finish(row, Answer("Three months."))
        ...     [result.answer.text for result in job.results()], job.pending()
        (['Three months.'], [])
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = Database(path)
        self.replies = JobReplies(self._database)
        self._types: dict[str, type[BaseModel]] = {}

    @classmethod
    def create(
        cls,
        path: str | Path,
        plan: Plan,
        configuration: Mapping[str, object],
        questions: Iterable[Question] | None = None,
        *,
        manifest: str = "",
    ) -> Self:
        """A new job; the file appears whole or not at all.

        Args:
            path: of the file, which must not be there yet.
            plan: one row for each question.
            configuration: everything else the answers depend on, as plain JSON.
            questions: in the plan's order; the plan's own by default.
            manifest: of the corpus.

        Raises:
            ConfigError: the file exists, its folder does not, or the configuration holds a secret.
            BadQuestion: two questions share an id. StoreFull: no room.
        """
        path = Path(path).expanduser()
        with freeze.new_file(path) as fresh, telling(path):
            freeze.write(fresh, plan, configuration, questions, manifest)
        return cls.open(path)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """An existing job.

        Raises:
            ConfigError: there is no such file. StoreCorrupt: it is not a job. StoreError: it is a newer ragctx's.
        """
        path = Path(path).expanduser()
        freeze.must_be_job(path)
        freeze.bring_up_to_date(path)
        return cls(path)

    def close(self) -> None:
        """Finish what is being written and close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def lock(self) -> JobLock:
        """The right to run this job; StoreLocked names the process that has it."""
        return JobLock(self.path)

    def about(self, name: str) -> Any:  # noqa: ANN401 - JSON values are what they are
        """One frozen fact: "configuration", "manifest", "plan" (without its rows) or "stopped"."""
        row = self._database.one("SELECT value FROM job WHERE name = ?", name)
        return load(object, row[0]) if row else None

    @property
    def configuration(self) -> dict[str, Any]:
        """The frozen configuration."""
        held: dict[str, Any] = self.about("configuration")
        return held

    @property
    def notes(self) -> tuple[str, ...]:
        """What the plan noted: fall-backs, and what is to be known of the documents."""
        return tuple(self.about("plan").get("notes", ()))

    def questions(self) -> Questions:
        """The frozen questions, in the order they were given.

        Raises:
            ConfigError: one has an `answer_type`, which only the program that made the job can give back.
        """
        asked: list[Question] = []
        while page := self._database.all(queries.QUESTIONS, len(asked), PAGE):
            asked.extend(self._question(text) for (text,) in page)
        return Questions.of(asked)

    def must_match(self, questions: Iterable[Question], configuration: Mapping[str, object], manifest: str) -> None:
        """Refuse to go on with anything but what was frozen.

        Raises:
            ConfigError: says which setting, documents or questions differ.
        """
        freeze.same_settings(self.path, self.configuration, configuration, (self.about("manifest"), manifest))
        self._types.update(freeze.same_questions(self._database, self.path, questions))

    def pending(self, after: int = -1, limit: int = PAGE) -> list[PlannedRow]:
        """The next rows to be asked, in the job's own order, whose turn comes after `after`."""
        return [self._planned(*row) for row in self._database.all(queries.PENDING, after, limit)]

    def every_pending(self) -> Iterator[PlannedRow]:
        """All rows to be asked, in the job's own order, read a page at a time."""
        after = -1
        while page := self.pending(after):
            yield from page
            after = page[-1].turn

    def ways_pending(self) -> list[str]:
        """The strategies of all rows to be asked; an empty name is of rows that none can read."""
        return [name for (name,) in self._database.all(queries.WAYS)]

    def results(self) -> Iterator[RowResult]:
        """Every finished row in the order the questions were given, read a page at a time."""
        after = -1
        while page := self._database.all(queries.RESULTS, after, PAGE):
            yield from map(_result, page)
            after = page[-1][0]

    def finish(
        self, row: PlannedRow, answer: Answer, requests: Sequence[str | None] = (), models: Models | None = None
    ) -> Answer:
        """Write a row's answer, and what it cost; the answer as it was written.

        A budget that was exceeded over every run is a note on it.

        Args:
            row: as `pending` gave it.
            answer: its usage is this run's. The one written tells what the row cost over every run.
            requests: of each of its charges, as the engine's outcome tells them.
            models: who was asked.

        Raises:
            StoreError: nothing was written. TypeError: the answer's data is not JSON.
        """

        def step(connection: sqlite3.Connection) -> Answer:
            usage = settle(connection, row.key, answer.usage, requests, self.replies.fresh)
            exceeded = overrun(row.question.budget, usage, models or Models())
            told = replace(answer, usage=usage, notes=tuple(dict.fromkeys((*answer.notes, *exceeded))))
            connection.execute("DELETE FROM failures WHERE position = ?", (row.position,))
            connection.execute("INSERT INTO answers VALUES (?, ?, ?)", (row.position, dump(told), told.answerable))
            return told

        told = self._database.write(step)
        self.replies.claimed(answer.usage, requests)
        return told

    def fail(
        self, row: PlannedRow, error: BaseException, usage: Usage | None = None, requests: Sequence[str | None] = ()
    ) -> RowFailure:
        """Write why a row has no answer, and what that cost; it is not tried again until `retry_failed`."""
        spent, failure = usage or Usage(), RowFailure.of(error)

        def step(connection: sqlite3.Connection) -> int:
            settle(connection, row.key, spent, requests, self.replies.fresh)
            connection.execute(queries.FAIL, (row.position, failure.name, failure.message, failure.exit_code))
            query = "SELECT attempts FROM failures WHERE position = ?"
            return int(connection.execute(query, (row.position,)).fetchone()[0])

        attempts = self._database.write(step)
        self.replies.claimed(spent, requests)
        return replace(failure, attempts=attempts)

    def retry_failed(self, *, anew: bool = False) -> int:
        """Make every failed row pending again; how many there were.

        Args:
            anew: ask everything again. Otherwise only what failed is asked: replies that came are replayed.

        Raises:
            StoreLocked: the job is running.
        """

        def step(connection: sqlite3.Connection) -> int:
            if anew:
                connection.execute(queries.FORGET_FAILED)
            return connection.execute(queries.RETRY).rowcount

        with self.lock():
            return self._database.write(step)

    def spent(self) -> Spent:
        """Everything billed so far, rows that were never finished included."""
        return Spent(*(self._database.one(queries.SPENT) or ()))

    def unfinished(self, row: PlannedRow) -> float:
        """Money that earlier runs spent on a row they did not finish."""
        return float((self._database.one(queries.UNFINISHED, row.key) or (0.0,))[0])

    def stopped(self, reason: str) -> None:
        """Remember why the last run left rows pending; empty when it left none."""
        value = ("stopped", dump(reason))
        self._database.write(lambda connection: connection.execute("INSERT OR REPLACE INTO job VALUES (?, ?)", value))

    def check(self) -> None:
        """Read the whole file and verify it.

        Raises:
            StoreCorrupt: with what SQLite found.
        """
        found = [line for (line,) in self._database.all("PRAGMA integrity_check(5)")]
        if found != ["ok"]:
            raise StoreCorrupt(f"{self.path} is damaged ({'; '.join(found)}): restore a copy of it, or start a new job")

    def query(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a short look-up, for reports."""
        return self._database.all(query, *values)

    def _planned(self, position: int, turn: int, key: str, text: str, decision: str, money: float | None) -> PlannedRow:
        return PlannedRow(position, turn, key, self._question(text), load(Decision, decision), money)

    def _question(self, text: str) -> Question:
        question, typed = read_question(text)
        return freeze.typed_again(question, self._types) if typed else question


def _result(row: tuple[Any, ...]) -> RowResult:
    position, question, decision, answer, *failure = row
    told = load(Answer, answer) if answer is not None else None
    failed = RowFailure(*failure) if told is None else None
    made = told.decision if told is not None else None  # as the question was read, which may be after a second look
    return RowResult(position, read_question(question)[0], made or load(Decision, decision), told, failed)
