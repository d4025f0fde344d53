"""Cancelling closes generators, aborts remote calls and keeps what was spent."""

import asyncio
import signal
import threading
import time

import pytest

from ragctx.engine import Job
from ragctx.readers.scripted import Rule, Scripted, ScriptedRemote

SLOW = [Rule("slow", "late", delay=30)]


def closing(works, closed, name, *texts):
    def work():
        try:
            for text in texts:
                yield from works.one(text)
        except GeneratorExit:
            closed.append(name)
            raise

    return work


def wait_for(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def test_closing_the_iterator_early(engine_of, works):
    closed, reader = [], ScriptedRemote(SLOW, default="quick")
    jobs = [Job("fast", lambda: works.one("q"))]
    jobs += [Job(name, closing(works, closed, name, f"first {name}", f"slow {name}")) for name in "abc"]
    engine = engine_of(reader)
    outcomes = engine.map(jobs)
    assert next(outcomes).key == "fast"
    wait_for(lambda: sum("slow" in r.messages[0].content for call in reader.calls for r in call) == 3)
    outcomes.close()
    assert sorted(closed) == ["a", "b", "c"]
    assert engine.run(works.one("still alive")).result() == "quick"


def test_the_ledgers_of_cancelled_works_are_kept(engine_of, works):
    reader = ScriptedRemote(SLOW, default="quick")
    engine = engine_of(reader)
    outcomes = engine.map([Job("k", lambda: works.many("slow one", "slow two")), Job("fast", lambda: works.one("q"))])
    assert next(outcomes).key == "fast"
    wait_for(lambda: len(reader.calls) == 3)
    outcomes.close()
    [parted] = engine.abandoned
    assert (parted.key, parted.error.kind) == ("k", "cancelled")
    assert [(c.prompt, c.output) for c in parted.usage.charges] == [(4, 0), (4, 0)]
    assert reader.aborted == 2


def test_outcomes_nobody_took_are_kept_too(engine_of, works):
    engine = engine_of(Scripted(default="yes"))
    outcomes = engine.map(works.jobs(5))
    first = next(outcomes)
    [flow] = engine._site._open[1]._flows
    wait_for(lambda: flow._over)
    outcomes.close()
    assert {first.key, *(o.key for o in engine.abandoned)} == set("01234")
    assert all(o.error is None for o in engine.abandoned)


def test_the_jobs_generator_is_closed(engine_of, works):
    closed = threading.Event()

    def jobs():
        try:
            for n in range(10**9):
                yield Job(str(n), lambda: works.one("q"))
        finally:
            closed.set()

    outcomes = engine_of(Scripted(default="yes"), in_flight=4).map(jobs())
    for _ in range(10):
        next(outcomes)
    outcomes.close()
    assert closed.is_set()


def test_a_jobs_iterable_that_hangs_does_not_hold_up_closing(engine_of, works):
    release = threading.Event()

    def jobs():
        yield from works.jobs(1)
        release.wait(20)

    outcomes = engine_of(Scripted(default="yes")).map(jobs())
    next(outcomes)
    began = time.monotonic()
    outcomes.close()
    release.set()
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("style", [Scripted, ScriptedRemote])
def test_cancelling_arun(engine_of, works, style):
    closed, reader = [], style([Rule("slow", "late", delay=1)])
    engine = engine_of(reader)

    async def main():
        task = asyncio.create_task(engine.arun(closing(works, closed, "w", "slow")()))
        await asyncio.to_thread(wait_for, lambda: reader.calls)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return list(closed)

    assert asyncio.run(main()) == ["w"]
    assert engine.abandoned[0].usage.charges[0].prompt == 3


def test_cancelling_arun_at_once_leaves_nothing_behind(engine_of, works):
    engine = engine_of(ScriptedRemote(SLOW))

    async def main():
        for delay in (0, 0.0001, 0.001, 0.003):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(engine.arun(works.one("slow")), delay)

    asyncio.run(main())
    wait_for(lambda: not engine._site._open[1]._flows)


def test_leaving_amap_early(engine_of, works):
    closed = []
    engine = engine_of(ScriptedRemote(SLOW, default="quick"))
    jobs = [Job("fast", lambda: works.one("q")), Job("slow", closing(works, closed, "slow", "slow"))]

    async def main():
        outcomes = engine.amap(jobs)
        async for outcome in outcomes:
            assert outcome.key == "fast"
            break
        await asyncio.sleep(0.05)
        await outcomes.aclose()

    asyncio.run(main())
    assert closed == ["slow"]


def test_a_step_under_way_is_waited_for_and_then_the_generator_closed(engine_of, works):
    closed, inside = [], threading.Event()

    def work():
        try:
            inside.set()
            time.sleep(0.2)
            yield [works.prompt("q")]
        finally:
            closed.append(True)

    def jobs():
        yield Job("fast", lambda: works.one("q"))
        yield Job("slow", work)

    outcomes = engine_of(Scripted(default="yes")).map(jobs())
    next(outcomes)
    inside.wait(5)
    outcomes.close()
    assert closed == [True]


def test_keyboard_interrupt_while_waiting(engine_of, works):
    """Ctrl-C reaches the main thread inside `next()`; works are closed before it goes on."""
    closed = []
    engine = engine_of(ScriptedRemote(SLOW))
    threading.Timer(0.2, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        list(engine.map([Job("k", closing(works, closed, "k", "slow"))]))
    assert closed == ["k"]


def test_a_work_that_raises_while_it_is_closed_is_logged(engine_of, works, caplog):
    def work():
        try:
            yield from works.one("slow")
        finally:
            raise ValueError("in finally")

    engine = engine_of(ScriptedRemote(SLOW, default="quick"))
    outcomes = engine.map([Job("bad", work), Job("fast", lambda: works.one("q"))])
    assert next(outcomes).key == "fast"
    outcomes.close()
    assert "raised while it was closed" in caplog.text


def test_an_engine_nobody_holds_ends_its_thread(works):
    import gc

    from ragctx.engine import Engine

    engine = Engine({"reader": Scripted(default="yes")})
    engine.run(works.one("q"))
    thread = engine._site._open[0]._thread
    del engine
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()
