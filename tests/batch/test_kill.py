from __future__ import annotations

import importlib.util
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

KILLS = Path(__file__).parents[2] / "benchmarks" / "kills.py"


def test_kill_9_loses_and_doubles_nothing():
    spec = importlib.util.spec_from_file_location("kills", KILLS)
    kills = importlib.util.module_from_spec(spec)
    sys.modules["kills"] = kills  # its dataclasses look themselves up
    try:
        spec.loader.exec_module(kills)
        counts = kills.measure(kills=6, seed=7)
    finally:
        del sys.modules["kills"]
    assert counts["kills"] == 6
    assert counts["while_writing"] >= 3
    assert {name: counts[name] for name in ("lost", "doubled", "corrupt", "over_bound", "ledger_wrong")} == {
        "lost": 0,
        "doubled": 0,
        "corrupt": 0,
        "over_bound": 0,
        "ledger_wrong": 0,
    }
    assert counts["billed_twice"] <= counts["in_flight_bound"]


FULL_DISK = """
    import resource, signal, sys
    from pathlib import Path

    from ragctx.batch import JobStore, run_job, status
    from ragctx.engine import Engine, Job
    from ragctx.errors import StoreFull
    from ragctx.readers.scripted import ScriptedRemote
    from ragctx.types import Answer
    from ragctx.work import Generate, Message, ask

    def read(question):
        reply = yield from ask(Generate((Message("user", question.text),)))
        return Answer(reply.text)

    def make_job(question, decision):
        return Job(question.id, start=lambda: read(question))

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with JobStore.open(sys.argv[1]) as store:
        with Engine({"reader": ScriptedRemote(default="x" * 4000)}, store=store.replies) as engine:
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
            try:
                for result in run_job(store, engine, make_job):
                    assert result.answer is not None
            except StoreFull as error:
                print(error)
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            before = status(store)
            print(before.done, before.failed, before.pending)
            list(run_job(store, engine, make_job))
            after = status(store)
            print(after.done, after.failed, after.pending)
            store.check()
"""


def test_a_real_full_disk_is_told_and_survived(bench):
    questions = bench.questions(100)
    bench.open(questions).close()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FULL_DISK), str(bench.path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    message, before, after = done.stdout.splitlines()
    assert "free some space" in message
    assert "nothing is lost" in message
    finished, failed, pending = map(int, before.split())
    assert failed == 0
    assert finished + pending == 100
    assert pending > 0
    assert after == "100 0 0"


LOCKED = """
    import sys
    from ragctx.batch import JobStore
    with JobStore.open(sys.argv[1]) as store, store.lock():
        print("locked", flush=True)
        sys.stdin.read()
"""


def test_the_process_that_runs_the_job_is_named_and_its_death_frees_it(bench):
    from ragctx.errors import StoreLocked

    bench.open().close()
    holder = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(LOCKED), str(bench.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout.readline() == "locked\n"
        with bench.open() as store, pytest.raises(StoreLocked, match=f"process {holder.pid}"):
            bench.run(store)
    finally:
        holder.kill()
        holder.communicate()
    with bench.open() as store:
        assert len(bench.run(store)) == 12
