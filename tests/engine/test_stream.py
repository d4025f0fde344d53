"""Streaming: progress, the final completion's text, then the outcome."""

import asyncio

import pytest

from ragctx.engine import Delta, Job, MemoryStore, Outcome, Progress
from ragctx.readers.scripted import Rule, Scripted, ScriptedRemote
from ragctx.work import Completion, Failure

STYLES = [Scripted, ScriptedRemote]


def two_steps(works):
    yield from works.one("notes")
    return (yield from works.one("answer", final=True))


def collect(engine, work):
    async def main():
        return [event async for event in engine.astream(work)]

    return asyncio.run(main())


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("sync", [True, False])
def test_order_and_text(engine_of, works, style, sync):
    engine = engine_of(style([Rule("answer", "three whole months")], default="some notes"))
    work = Job("k", lambda: two_steps(works))
    events = list(engine.stream(work)) if sync else collect(engine, work)
    kinds = [type(event) for event in events]
    assert kinds == [Progress, Progress, Progress, Delta, Delta, Delta, Progress, Outcome]
    assert "".join(e.text for e in events if isinstance(e, Delta)) == "three whole months"
    assert {e.key for e in events} == {"k"}
    assert [(e.done, e.asked) for e in events if isinstance(e, Progress)] == [(0, 1), (1, 1), (1, 2), (2, 2)]
    assert events[-1].result() == "three whole months"


def test_text_arrives_while_it_is_written(engine_of, works):
    """The first word is there long before the last one is."""

    class Slow(ScriptedRemote):
        async def call(self, request, emit):
            emit("first ")
            await asyncio.sleep(0.3)
            emit("last")
            return Completion("first last")

    seen = []
    for event in engine_of(Slow()).stream(works.one("q", final=True)):
        seen.append(event)
        if isinstance(event, Delta) and event.text == "first ":
            assert not any(isinstance(e, Outcome) for e in seen)
    assert [e.text for e in seen if isinstance(e, Delta)] == ["first ", "last"]


def test_a_reply_from_the_store_is_streamed_whole(engine_of, works):
    engine = engine_of(Scripted(default="three months"), store=MemoryStore())
    engine.run(works.one("q"))
    deltas = [e.text for e in engine.stream(works.one("q", final=True)) if isinstance(e, Delta)]
    assert deltas == ["three months"]


def test_a_backend_that_does_not_stream_is_told_whole(engine_of, works):
    class Silent(Scripted):
        def serve(self, requests, emit):
            return super().serve(requests, lambda index, text: None)

    events = list(engine_of(Silent(default="all at once")).stream(works.one("q", final=True)))
    assert [e.text for e in events if isinstance(e, Delta)] == ["all at once"]


@pytest.mark.parametrize(
    ("attempts", "deltas"),
    [
        (["one two", "one two three"], [("one two", False), (" three", False)]),
        (["one two", "four"], [("one two", False), ("four", True)]),
        (["one two", "one"], [("one two", False), ("one", True)]),
    ],
)
def test_retries_repeat_nothing_and_void_what_has_changed(engine_of, works, attempts, deltas):
    class Cut(ScriptedRemote):
        tries = 0

        async def call(self, request, emit):
            text = attempts[self.tries]
            self.tries += 1
            emit(text)
            return Completion(text) if self.tries == len(attempts) else Failure("server", "cut")

    events = list(engine_of(Cut()).stream(works.one("q", final=True)))
    assert [(e.text, e.restart) for e in events if isinstance(e, Delta)] == deltas


def test_blanks_that_a_reader_strips_void_nothing(engine_of, works):
    class Blank(ScriptedRemote):
        async def call(self, request, emit):
            emit(" Three months.\n")
            return Completion("Three months.")

    events = list(engine_of(Blank()).stream(works.one("q", final=True)))
    assert [(e.text, e.restart) for e in events if isinstance(e, Delta)] == [(" Three months.\n", False)]


def test_one_who_joins_late_hears_everything(engine_of, works):
    """Two works ask the same; the second subscribes while the first is being told."""

    class Halting(ScriptedRemote):
        async def call(self, request, emit):
            emit("first ")
            await asyncio.sleep(0.3)
            emit("last")
            return Completion("first last")

    engine = engine_of(Halting())

    async def main():
        async def hear(delay):
            await asyncio.sleep(delay)
            stream = engine.astream(works.one("q", final=True))
            return "".join([e.text async for e in stream if isinstance(e, Delta)])

        return await asyncio.gather(hear(0), hear(0.1))

    assert asyncio.run(main()) == ["first last", "first last"]


def test_leaving_a_stream_cancels(engine_of, works):
    reader = ScriptedRemote([Rule("", "late", delay=30)])
    engine = engine_of(reader)
    stream = engine.stream(works.one("q", final=True))
    next(stream)
    stream.close()
    assert engine.abandoned[0].error.kind == "cancelled"
