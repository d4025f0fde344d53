"""Many works at once: the caller's loop stays free, memory stays flat, batches stay full."""

import asyncio
import gc
import threading
import time
import tracemalloc

import pytest

from ragctx.engine import Job
from ragctx.readers.scripted import Rule, Scripted, ScriptedRemote


async def longest_gap(over: threading.Event) -> float:
    """The longest time between two beats of a heart that should beat every 5 ms.

    A gap is as long as its time, or as what this process computed in it if that is less: a process that the machine
    keeps waiting holds up nobody, and whoever holds up this loop, here where every thread has work, computes.
    """
    longest, last = 0.0, (time.perf_counter(), time.process_time())
    while not over.is_set():
        await asyncio.sleep(0.005)
        now = time.perf_counter(), time.process_time()
        longest, last = max(longest, min(now[0] - last[0] - 0.005, now[1] - last[1])), now
    return longest


async def gap_while(engine, jobs) -> float:
    """The longest gap while the jobs run."""
    over = threading.Event()
    heart = asyncio.create_task(longest_gap(over))
    await asyncio.sleep(0)
    outcomes = [outcome.result() async for outcome in engine.amap(jobs)]
    over.set()
    assert len(outcomes) == 500
    return await heart


@pytest.mark.alone
@pytest.mark.parametrize("style", [Scripted, ScriptedRemote])
def test_the_callers_loop_is_never_held_up(engine_of, works, style):
    def busy(i):
        for k in range(3):
            sum(range(20_000))  # a step that computes
            yield [works.prompt(f"{i} {k} {n}") for n in range(2)]

    seen = []
    for _ in range(10):  # Python's threads may take turns unluckily; a loop that we hold up is held up every time
        engine = engine_of(style([Rule("", "yes", delay=0.001)]))
        seen.append(asyncio.run(gap_while(engine, [Job(str(i), lambda i=i: busy(i)) for i in range(500)])))
        if seen[-1] <= 0.05:
            return
    pytest.fail(f"the loop was held up for so many seconds: {seen}")


@pytest.mark.slow
@pytest.mark.alone
def test_memory_is_flat_over_ten_thousand_jobs(engine_of, works):
    engine = engine_of(Scripted(default="yes", record=False))
    text = "x" * 2400  # keeping them all would be 24 MB

    def consume(count):
        assert all(outcome.result() == "yes" for outcome in engine.map(works.jobs(count, text)))

    consume(300)
    gc.collect()
    tracemalloc.start()
    try:
        consume(300)
        gc.collect()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        consume(10_000)
        peak = tracemalloc.get_traced_memory()[1]
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert peak - before < 5e6
    assert after - before < 0.5e6


def test_a_work_that_is_over_is_freed_at_once(engine_of, works):
    """No reference cycles: what a work held does not stay until the collector happens to run."""
    engine = engine_of(Scripted(default="yes", record=False))
    list(engine.map(works.jobs(100)))
    gc.collect()
    gc.disable()
    try:
        list(engine.map(works.jobs(200)))
        list(engine.map([Job(str(i), lambda i=i: works.chain(f"{i} a", f"{i} b")) for i in range(200)]))
        assert gc.collect() < 200  # one object for every other work would be a cycle somewhere
    finally:
        gc.enable()


def test_batches_stay_full_under_load(engine_of, works):
    """Works whose replies have just come back catch the next batch: few calls are nearly empty."""
    reader = Scripted([Rule("", "yes", delay=0.005)], batch=32)
    jobs = [Job(str(i), lambda i=i: works.chain(*(f"{i} {k}" for k in range(5)))) for i in range(64)]
    list(engine_of(reader, in_flight=64).map(jobs))
    sizes = [len(call) for call in reader.calls]
    assert sum(sizes) == 320
    assert sum(sizes) / len(sizes) > 24, sizes
