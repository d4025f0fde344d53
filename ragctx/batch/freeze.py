"""Freezing a job: questions, plan and configuration are written once, and only ever compared after that."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragctx.batch import migrations
from ragctx.batch.codec import dump, plain
from ragctx.batch.database import connect, telling
from ragctx.batch.keys import canonical, digest, question_hash, question_json, row_key, without_secrets
from ragctx.batch.lock import JobLock
from ragctx.corpus.files import settle
from ragctx.errors import BadQuestion, ConfigError, StoreCorrupt, StoreFull
from ragctx.types import Question

if TYPE_CHECKING:
    from pydantic import BaseModel

    from ragctx.batch.database import Database
    from ragctx.routing import Plan, PlanRow

_NAMED = 5  # how many differing questions a message names
_ROW = "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A file to fill beside `path`, which takes its name when filled: a crash leaves no half job.

    Raises:
        ConfigError: the file exists or its folder does not. StoreLocked: another process is creating it.
    """
    if not path.parent.is_dir():
        raise ConfigError(f"there is no folder {path.parent} for the job {path.name}: create it, or name another")
    with JobLock(path):
        if path.exists():
            raise ConfigError(f"{path} exists: open it to go on with it, or name another file")
        fresh = path.with_name(path.name + ".new")
        try:
            _remove(fresh)
            os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            yield fresh
            fresh.rename(path)
            settle(path.parent)
        except OSError as error:
            raise StoreFull(f"cannot write {path} ({error.strerror}): free some space or check the folder") from error
        finally:
            _remove(fresh)


def write(
    file: Path, plan: Plan, configuration: Mapping[str, object], questions: Iterable[Question] | None, manifest: str
) -> None:
    """Fill a new job file: tables, facts, one row for each question, in one transaction."""
    settings = without_secrets(configuration)
    rows = _planned(plan, questions)
    about = {
        "configuration": settings,
        "manifest": manifest,
        "plan": {name: plain(value) for name, value in _facts(plan).items()},
    }
    connection = connect(file)
    try:
        connection.execute(f"PRAGMA application_id = {migrations.APPLICATION}")
        migrations.migrate(connection)
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO job VALUES (?, ?)", [(name, dump(value)) for name, value in about.items()])
        connection.executemany(_ROW, _row_values(rows, manifest, digest(canonical(settings))))
        connection.execute("COMMIT")
    except sqlite3.IntegrityError as error:
        raise BadQuestion("two questions of the job share an id: give each its own") from error
    finally:
        connection.close()


def must_be_job(path: Path) -> None:
    """Refuse what is not there or is not a job, before SQLite touches it.

    Raises:
        ConfigError: no such file. StoreCorrupt: not an SQLite file, or not one of ours.
    """
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise ConfigError(
            f"cannot open the job {path} ({error.strerror}): name a job file, or run a new job"
        ) from error
    ours = header[68:72] == migrations.APPLICATION.to_bytes(4, "big")
    if not header.startswith(b"SQLite format 3\0") or not ours:
        raise StoreCorrupt(f"{path} is not a job file: name another, restore a copy of it, or start a new job")


def bring_up_to_date(path: Path) -> None:
    """Add the tables that a file of an older version lacks.

    Raises:
        StoreError: the file is a newer version's. StoreLocked: an older version is running the job.
    """
    with contextlib.closing(connect(path)) as connection, telling(path):
        if migrations.missing(connection):
            with JobLock(path):
                migrations.migrate(connection)


def same_settings(path: Path, frozen: Mapping[str, Any], now: Mapping[str, object], manifests: tuple[str, str]) -> None:
    """Refuse a configuration or a corpus other than the frozen one.

    Raises:
        ConfigError: names every setting that differs, with both values.
    """
    asked = without_secrets(now)
    differing = [
        f"{name} was {_short(frozen.get(name))} and is {_short(asked.get(name))}"
        for name in sorted(frozen.keys() | asked.keys())
        if canonical(frozen.get(name)) != canonical(asked.get(name))
    ]
    if manifests[0] != manifests[1]:
        differing.append("the documents changed")
    if differing:
        raise ConfigError(f"{path} was frozen differently: {'; '.join(differing)}. Put it back, or start a new job")


def same_questions(database: Database, path: Path, questions: Iterable[Question]) -> dict[str, type[BaseModel]]:
    """Refuse questions other than the frozen ones; their answer types by id, which no file can hold.

    Raises:
        ConfigError: names questions that were changed, added or left out.
    """
    seen: set[str] = set()
    changed: list[str] = []
    types: dict[str, type[BaseModel]] = {}
    for question in questions:
        held = database.one("SELECT question_hash FROM rows WHERE id = ?", question.id)
        if held is None or held[0] != question_hash(question):
            changed.append(f"{question.id} is {'new' if held is None else 'changed'}")
        seen.add(question.id)
        if question.answer_type is not None:
            types[question.id] = question.answer_type
    total = (database.one("SELECT count(*) FROM rows") or (0,))[0]
    if len(seen) < total:
        absent = (id for (id,) in database.all("SELECT id FROM rows ORDER BY position") if id not in seen)
        changed.extend(f"{id} is missing" for id in islice(absent, _NAMED))
    if changed:
        named = "; ".join(changed[:_NAMED]) + ("; ..." if len(changed) > _NAMED else "")
        raise ConfigError(f"{path} was frozen with other questions: {named}. Put them back, or start a new job")
    return types


def typed_again(question: Question, types: Mapping[str, type[BaseModel]]) -> Question:
    """The question with its answer type, which only the caller can give back.

    Raises:
        ConfigError: the caller did not.
    """
    if question.id not in types:
        raise ConfigError(
            f"question {question.id!r} has an answer_type: go on with the questions it came from, in Python"
        )
    return replace(question, answer_type=types[question.id])


def _planned(plan: Plan, questions: Iterable[Question] | None) -> list[PlanRow]:
    rows = list(plan.rows)
    if not rows:
        raise BadQuestion("a job needs at least one question: the list is empty")
    if questions is None:
        return rows
    asked = list(questions)
    if [question.id for question in asked] != [row.question.id for row in rows]:
        raise ConfigError("the plan is for other questions: plan the questions of the job, in their order")
    return [replace(row, question=question) for row, question in zip(rows, asked, strict=True)]


def _facts(plan: Plan) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in plan.__dataclass_fields__ if name != "rows"}


def _row_values(rows: list[PlanRow], manifest: str, configuration: str) -> Iterator[tuple[object, ...]]:
    turns = _turns(rows)
    for position, row in enumerate(rows):
        question, hashed = row.question, question_hash(row.question)
        key = row_key(question.id, hashed, manifest, configuration)
        texts = (question_json(question), row.decision.strategy, dump(row.decision))
        yield (position, turns[position], question.id, key, hashed, *texts, *_expected(row))


def _turns(rows: list[PlanRow]) -> list[int]:
    """Each row's place in the job's order: rows that read the same documents the same way are neighbours.

    Their prompts begin alike, and a reader reads what is alike once.
    """
    groups = [(canonical(row.question.where), row.decision.strategy, position) for position, row in enumerate(rows)]
    turns = [0] * len(rows)
    for turn, (_, _, position) in enumerate(sorted(groups)):
        turns[position] = turn
    return turns


def _expected(row: PlanRow) -> tuple[float | None, ...]:
    """Expected tokens, calls, seconds and money of a row, each None where the plan does not know."""
    chosen = row.decision.chosen
    if chosen is None:
        return (None, None, None, None)
    estimate = chosen.estimate
    ranges = (estimate.tokens, estimate.calls, estimate.seconds, estimate.money)
    return tuple(None if found is None else float(found.expected) for found in ranges)


def _short(value: object) -> str:
    text = dump(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
