"""Kills a running batch job with SIGKILL, over and over, and counts what that costs.

    python benchmarks/kills.py --kills 100 --seed 0 --json

Every question makes five calls (one, then three at once, then one) to a scripted reader with small random delays. A
worker process runs the job and reports each finished row through a pipe; at a random moment it is killed, its file is
checked as the kill left it, and the next worker goes on. Each call leaves a line in a log that is only ever appended
to, so what was really called does not rest on the job's own account. A call is in flight from its beginning until the
store has acknowledged its reply.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import hashlib
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ragctx.batch import JobStore, export, open_job, run_job
from ragctx.batch.database import Database
from ragctx.batch.replies import JobReplies
from ragctx.engine import Engine, Job, Kept
from ragctx.errors import StoreCorrupt
from ragctx.readers.scripted import ScriptedRemote
from ragctx.routing import Plan, PlanRow
from ragctx.types import Answer, Candidate, Decision, Estimate, Prices, Question
from ragctx.work import Completion, Generate, Message, Reply, Request, Work

ROWS = 150
CALLS = 5
IN_FLIGHT = 16
MOST_CALLS = 3 * IN_FLIGHT  # that a worker can have in flight: three for each question
KILLS_PER_JOB = 10


def measure(kills: int = 100, seed: int = 0) -> dict[str, int]:
    """Kill a job so many times; every count but the first three is an error where it is not zero.

    Runs in a process of its own, since it forks, which a process with threads must not do.

    Returns:
        kills; while_writing: kills that fell while rows were being written; billed_twice: calls made a second time;
        in_flight_bound: calls in flight at the kills, which `billed_twice` must not pass; over_bound: kills after which
        it did; lost, doubled: answers; corrupt: files; ledger_wrong: rows whose account differs from that of a run
        without kills.
    """
    command = [sys.executable, __file__, "--kills", str(kills), "--seed", str(seed), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    counts: dict[str, int] = json.loads(done.stdout)
    return counts


# The job: what a worker runs.


def questions() -> list[Question]:
    return [Question(f"What is item {number}?", id=f"q{number:03}") for number in range(ROWS)]


def plan() -> Plan:
    estimate = Estimate.exactly(prompt=60, output=(40, 50, 60), calls=CALLS)
    decision = Decision("steps", "the only one", candidates=(Candidate("steps", estimate, 1, 1, 1),))
    return Plan(tuple(PlanRow(question, decision) for question in questions()))


def said(prompt: str) -> str:
    return hashlib.sha256(prompt.encode()).hexdigest()[:16]


def steps(question: Question) -> Work[Answer]:
    [first] = yield [_request(question.text, "open")]
    middle = yield [_request(f"{question.text} {first.text} {part}", "read") for part in "abc"]
    [last] = yield [_request(" ".join(reply.text for reply in middle), "answer")]
    return Answer(last.text, answerable=last.text[0] != "0")


def _request(text: str, purpose: str) -> Generate:
    return Generate((Message("user", text),), purpose=purpose)


def make_job(question: Question, decision: Decision) -> Job[Answer]:
    return Job(question.id, start=lambda: steps(question))


class LoggedReader(ScriptedRemote):
    """Writes a line for each call as it begins, then waits a little.

    What it says is a function of the prompt, in every worker the same one: so it has the same identity in all of them,
    or no worker could replay what an earlier one was told.
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        super().__init__(
            default=lambda request: said(request.messages[-1].content),
            concurrency=16,
            prices=Prices(1.0, 2.0),
            record=False,
        )
        self._facts = replace(self._facts, identity="the same in every process")
        self._log = log

    async def call(self, request: Request, emit: Callable[[str], None]) -> Reply:
        assert isinstance(request, Generate)
        self._log(f"began {said(request.messages[-1].content)}")
        await asyncio.sleep(random.uniform(0.0005, 0.004))
        reply = await super().call(request, emit)
        assert isinstance(reply, Completion)
        return reply


class LoggedReplies(JobReplies):
    """The job's reply store; writes a line for each reply as it is acknowledged."""

    def __init__(self, database: Database, log: Callable[[str], None]) -> None:
        super().__init__(database)
        self._log = log

    def put_billed(self, replies: Sequence[Kept]) -> None:
        super().put_billed(replies)
        for kept in replies:
            assert isinstance(kept.reply, Completion)
            self._log(f"stored {kept.reply.text}")


def work(job: Path, log: Path, report: Callable[[str], None]) -> None:
    """A worker's life: open the job or begin it, and run it to the end."""
    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    me = os.getpid()

    def write(line: str) -> None:
        os.write(handle, f"{me} {line}\n".encode())

    with (
        open_job(job, questions=questions(), configuration={"delay": "small"}, manifest="none", plan=plan) as store,
        Engine({"reader": LoggedReader(write)}, in_flight=IN_FLIGHT) as engine,
    ):
        store.replies = LoggedReplies(store._database, write)
        for result in run_job(store, engine, make_job):
            report(result.id)
        export(store, job.with_suffix(".jsonl"))


# The killer.


@dataclass
class Tally:
    """What was counted over all kills."""

    kills: int = 0
    while_writing: int = 0
    lost: int = 0
    doubled: int = 0
    corrupt: int = 0
    billed_twice: int = 0
    in_flight_bound: int = 0
    over_bound: int = 0
    ledger_wrong: int = 0


@dataclass
class Trial:
    """One job and the rows its workers reported finished."""

    folder: Path
    reported: collections.Counter[str] = field(default_factory=collections.Counter)
    killed: list[int] = field(default_factory=list)

    @property
    def job(self) -> Path:
        return self.folder / "job.sqlite"

    @property
    def log(self) -> Path:
        return self.folder / "calls.log"


def start(trial: Trial) -> tuple[int, int]:
    """A worker process and the reading end of its pipe."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    code = 1
    try:
        os.close(reading)
        random.seed(os.getpid())
        work(trial.job, trial.log, lambda row: os.write(writing, f"{row}\n".encode()) and None)
        code = 0
    except BaseException:  # noqa: BLE001 - a forked child must not return into its parent's code
        traceback.print_exc()
    finally:
        os._exit(code)


def lines(pipe: int, until: float | None = None) -> Iterator[str]:
    """Rows as the worker reports them, until it is gone or the time has come."""
    left = b""
    while True:
        wait = None if until is None else max(0.0, until - time.monotonic())
        if not select.select([pipe], [], [], wait)[0]:
            return
        data = os.read(pipe, 65536)
        if not data:
            return
        *whole, left = (left + data).split(b"\n")
        yield from (line.decode() for line in whole)


def kill_once(trial: Trial, rng: random.Random) -> bool | None:
    """Kill a worker at a random moment: whether it was writing rows; None where it was done before that."""
    child, pipe = start(trial)
    rows = 0
    if rng.random() < 0.1:  # while the job is being created or opened
        until: float | None = time.monotonic() + rng.uniform(0, 0.05)
    else:
        until, wanted = None, rng.randint(1, ROWS // KILLS_PER_JOB)
    for row in lines(pipe, until):
        trial.reported[row] += 1
        rows += 1
        if until is None and rows >= wanted:
            until = time.monotonic() + rng.uniform(0, 0.03)
            break
    if until is not None:
        for row in lines(pipe, until):
            trial.reported[row] += 1
            rows += 1
    os.kill(child, signal.SIGKILL)
    trial.reported.update(lines(pipe))
    os.close(pipe)
    _, ended = os.waitpid(child, 0)
    trial.killed.append(child)
    return rows > 0 if os.WIFSIGNALED(ended) else None


def run_out(trial: Trial) -> None:
    """Let a worker run the job to its end."""
    child, pipe = start(trial)
    trial.reported.update(lines(pipe))
    os.close(pipe)
    _, ended = os.waitpid(child, 0)
    if ended:
        raise SystemExit(f"a worker that nobody killed ended with {ended}: see what it printed")


def check(trial: Trial, tally: Tally) -> None:
    """Look at the file as the kill left it, on a copy, so that the next worker finds it untouched."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name) / trial.job.name
        for suffix in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                shutil.copy(f"{trial.job}{suffix}", f"{copy}{suffix}")
        if not copy.exists():  # killed before the job was there
            tally.lost += len(trial.reported)
            return
        try:
            with JobStore.open(copy) as store:
                store.check()
                there = {result.id for result in store.results() if result.answer is not None}
        except StoreCorrupt as error:
            print(error, file=sys.stderr)
            tally.corrupt += 1
            return
        tally.lost += len(trial.reported.keys() - there)


def count_calls(trial: Trial, tally: Tally) -> None:
    """Calls that a killed worker had made and a later one made again, against those in flight at the kill."""
    began: dict[int, set[str]] = collections.defaultdict(set)
    stored: dict[int, set[str]] = collections.defaultdict(set)
    later: dict[str, int] = collections.Counter()
    for line in trial.log.read_text().splitlines():
        process, what, call = line.split()
        (began if what == "began" else stored)[int(process)].add(call)
        later[call] += what == "began"
    tally.billed_twice += sum(times - 1 for times in later.values())
    seen: set[str] = set()
    for process in reversed([*began]):  # the last worker first: what of a killed one was called again after it
        if process in trial.killed:
            in_flight = len(began[process] - stored[process])
            if in_flight > MOST_CALLS:
                raise SystemExit(f"{in_flight} calls seem to have been in flight: no reply was acknowledged")
            tally.in_flight_bound += in_flight
            tally.over_bound += len(began[process] & seen) > in_flight
        seen |= began[process]


def rows(path: Path) -> dict[str, dict[str, Any]]:
    """Exported rows by id, without what differs from run to run."""
    found: dict[str, dict[str, Any]] = {}
    for line in path.read_text().splitlines():
        row = json.loads(line)
        for charge in row["answer"]["usage"]["charges"]:
            del charge["seconds"]
        if row["id"] in found:
            raise SystemExit(f"{row['id']} is exported twice")
        found[row["id"]] = row
    return found


def judge(trial: Trial, expected: dict[str, dict[str, Any]], tally: Tally) -> None:
    """The finished job against one that was never killed."""
    found = rows(trial.job.with_suffix(".jsonl"))
    tally.lost += len(expected.keys() - found.keys())
    tally.doubled += sum(times - 1 for times in trial.reported.values())
    tally.lost += sum(found[row]["answer"]["text"] != expected[row]["answer"]["text"] for row in found)
    tally.ledger_wrong += sum(found[row] != expected[row] for row in found)
    count_calls(trial, tally)


def run(kills: int, seed: int) -> Tally:
    """Jobs one after the other, each killed a few times and then let run out."""
    rng, tally = random.Random(seed), Tally()
    with tempfile.TemporaryDirectory() as folder:
        reference = Trial(Path(folder) / "reference")
        reference.folder.mkdir()
        run_out(reference)
        expected = rows(reference.job.with_suffix(".jsonl"))
        while tally.kills < kills:
            trial = Trial(Path(folder) / f"trial-{tally.kills}")
            trial.folder.mkdir()
            for _ in range(min(KILLS_PER_JOB, kills - tally.kills)):
                writing = kill_once(trial, rng)
                if writing is None:
                    break
                tally.kills += 1
                tally.while_writing += writing
                check(trial, tally)
            run_out(trial)
            judge(trial, expected, tally)
            shutil.rmtree(trial.folder)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    options = parser.parse_args()
    began = time.monotonic()
    counts = vars(run(options.kills, options.seed))
    if options.json:
        print(json.dumps(counts))
        return
    for name, value in counts.items():
        print(f"{name:16} {value}")
    print(f"{'seconds':16} {time.monotonic() - began:.0f}")


if __name__ == "__main__":
    main()
