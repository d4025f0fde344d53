"""One work and many: values, errors, roles, failures in slots, batches, no waves."""

import asyncio
import threading
import time

import pytest

from ragctx.engine import Job, Outcome
from ragctx.errors import ConfigError, DoesNotFit, RequestFailed
from ragctx.readers.scripted import Rule, Scripted, ScriptedRemote
from ragctx.work import Completion, Embed, Failure, Generate, Message, Rerank, Score, embed

STYLES = [Scripted, ScriptedRemote]


@pytest.mark.parametrize("style", STYLES)
def test_a_work_gets_its_replies_and_the_ledger_its_charges(engine_of, works, style):
    engine = engine_of(style([Rule("first", "one two"), Rule("second", "three")]))
    outcome = engine.run(works.chain("first", "second"))
    assert outcome.result() == ["one two", "three"]
    assert [(c.role, c.prompt, c.output, c.replayed) for c in outcome.usage.charges] == [
        ("reader", 3, 2, False),
        ("reader", 3, 1, False),
    ]


def test_work_that_asks_nothing_needs_no_model(engine_of):
    def quiet():
        return 42
        yield

    outcome = engine_of(Scripted()).run(quiet())
    assert (outcome.result(), outcome.usage.calls) == (42, 0)


def test_an_empty_yield_is_answered_at_once(engine_of):
    def nothing():
        replies = yield []
        return list(replies)

    assert engine_of(Scripted()).run(nothing()).result() == []


@pytest.mark.parametrize("style", STYLES)
def test_sync_and_async_inside_a_running_loop(engine_of, works, style):
    engine = engine_of(style(default="yes"))

    async def main():
        awaited = await asyncio.gather(*(engine.arun(works.one(f"q{i}")) for i in range(20)))
        mapped = [outcome async for outcome in engine.amap(works.jobs(20))]
        blocking = engine.run(works.one("q"))  # sync called inside a running loop
        return [*awaited, *mapped, blocking]

    assert {outcome.result() for outcome in asyncio.run(main())} == {"yes"}


def test_two_loops_share_an_engine(engine_of, works):
    engine = engine_of(ScriptedRemote(default="yes"))
    for _ in range(2):
        assert asyncio.run(engine.arun(works.one("q"))).result() == "yes"


def test_an_error_of_the_work_is_its_outcome(engine_of):
    def broken():
        raise KeyError("oops")
        yield

    outcome = engine_of(Scripted()).run(broken())
    assert isinstance(outcome.error, KeyError)
    with pytest.raises(KeyError):
        outcome.result()


def test_sys_exit_in_a_work_does_not_end_the_engine(engine_of, works):
    def leaving():
        raise SystemExit(3)
        yield

    engine = engine_of(Scripted(default="yes"))
    assert "SystemExit" in str(engine.run(leaving()).error)
    assert engine.run(works.one("q")).result() == "yes"


def test_start_may_fail(engine_of):
    def start():
        raise ConfigError("no such thing: name another")

    assert isinstance(engine_of(Scripted()).run(Job("k", start)).error, ConfigError)


@pytest.mark.parametrize("style", STYLES)
def test_a_failure_is_raised_at_the_yield_and_may_be_caught(engine_of, works, style):
    reader = style([Rule("bad", Failure("unauthorised", "no key: set one"))], default="fine")

    def careful():
        try:
            yield from works.one("bad")
        except RequestFailed as failed:
            return failed.kind, (yield from works.one("good"))

    engine = engine_of(reader)
    assert engine.run(careful()).result() == ("unauthorised", "fine")
    outcome = engine.run(works.one("bad"))
    assert isinstance(outcome.error, RequestFailed)
    assert outcome.usage.calls == 1


@pytest.mark.parametrize("style", STYLES)
def test_tolerated_failures_stand_in_their_slots(engine_of, works, style):
    reader = style([Rule("bad", Failure("bad_request", "no: ask otherwise"))], default="fine")
    said = engine_of(reader).run(works.many("a", "bad", "b", tolerant=True)).result()
    assert [said[0], said[2]] == ["fine", "fine"]
    assert (said[1].kind, said[1].attempts) == ("bad_request", 1)


def test_of_several_failures_the_first_that_is_not_tolerated_is_thrown(engine_of, works):
    rules = [Rule(kind, Failure(kind, kind)) for kind in ("bad_request", "unauthorised", "too_long")]

    def work():
        yield [
            works.prompt("bad_request", tolerant=True),
            works.prompt("unauthorised"),
            works.prompt("too_long"),
        ]

    assert engine_of(Scripted(rules)).run(work()).error.kind == "unauthorised"


def test_every_kind_of_request(engine_of):
    def all_kinds():
        rows = yield from embed(["a b", "a b c"])
        scores, relevances = yield [Score("a", "b c"), Rerank("a b", ("a b", "c"))]
        return rows.shape, len(scores.logprobs), relevances.values

    model = Scripted(dimensions=8)
    roles = dict.fromkeys(("reader", "encoder", "scorer", "ranker"), model)
    outcome = engine_of(backends=roles).run(all_kinds())
    assert outcome.result() == ((2, 8), 2, (1.0, 0.0))
    assert {len({type(r) for r in call}) for call in model.calls} == {1}


def test_roles_go_to_their_models_and_others_to_the_reader(engine_of, works):
    reader, worker = Scripted(default="reader"), Scripted(default="worker")

    def work():
        return (yield from works.many("q", role="worker")) + (yield from works.many("q", role="manager"))

    assert engine_of(backends={"reader": reader, "worker": worker}).run(work()).result() == ["worker", "reader"]


def test_an_encoder_is_never_guessed(engine_of):
    def work():
        yield [Embed(("text",))]

    outcome = engine_of(Scripted()).run(work())
    assert isinstance(outcome.error, ConfigError)
    assert "encoder" in str(outcome.error)


def test_a_model_is_not_asked_what_it_does_not_answer(engine_of, works):
    class Encoder(Scripted):
        @property
        def facts(self):
            import dataclasses

            return dataclasses.replace(super().facts, kinds=frozenset({"Embed"}))

    outcome = engine_of(Encoder()).run(works.one("q"))
    assert isinstance(outcome.error, ConfigError)
    assert "answers Embed, not Generate" in str(outcome.error)


def test_what_is_no_request_is_told_to_the_work(engine_of):
    def work():
        yield ["a question"]

    assert "list of requests" in str(engine_of(Scripted()).run(work()).error)


def test_what_does_not_fit_the_window_is_thrown_and_may_be_caught(engine_of, works):
    def work():
        try:
            yield [works.prompt("word " * 100)]
        except DoesNotFit as error:
            said = yield from works.one("short", sampling={"max_tokens": 5})
            return error.needs, error.window, said

    engine = engine_of(Scripted(default="yes", window=40))
    assert engine.run(work()).result() == (152, 40, "yes")


def test_a_backend_that_raises_fails_its_requests_and_nothing_else(engine_of, works):
    class Broken(Scripted):
        def serve(self, requests, emit):
            if any("break" in request.messages[0].content for request in requests):
                raise MemoryError("out of it")
            return super().serve(requests, emit)

    class BrokenRemote(ScriptedRemote):
        async def call(self, request, emit):
            raise SystemExit("gone")

    for reader, word in ((Broken(default="yes"), "MemoryError"), (BrokenRemote(), "SystemExit")):
        engine = engine_of(reader)
        outcome = engine.run(works.one("break"))
        assert outcome.error.kind == "crashed"
        assert word in str(outcome.error)
    assert engine_of(Broken(default="yes")).run(works.one("fine")).result() == "yes"


@pytest.mark.parametrize("replies", [[], [Completion("a"), Completion("b")], ["text"], [None]])
def test_a_backend_that_answers_nonsense_crashed(engine_of, works, replies):
    class Odd(Scripted):
        def serve(self, requests, emit):
            return replies

    assert engine_of(Odd()).run(works.one("q")).error.kind == "crashed"


def test_what_is_no_backend_is_refused(engine_of):
    with pytest.raises(ConfigError, match="cannot play 'reader'"):
        engine_of(object())


def test_eight_works_that_ask_at_once_are_one_call(engine_of, works):
    reader = Scripted(default="yes", batch=8)
    list(engine_of(reader).map(works.jobs(8)))
    assert [len(call) for call in reader.calls] == [8]


def test_requests_of_a_batch_are_sorted_so_that_prefixes_are_neighbours(engine_of, works):
    reader = Scripted(default="yes")
    engine = engine_of(reader)
    engine.run(works.many("b doc, first", "a doc, first", "b doc, second", "a doc, second"))
    [call] = reader.calls
    assert [r.messages[0].content[0] for r in call] == ["a", "a", "b", "b"]


def test_a_batch_is_never_larger_than_asked_for_nor_mixed(engine_of, works):
    def work():
        yield [works.prompt(str(i)) if i % 2 else Score("a", str(i)) for i in range(20)]

    model = Scripted(default="yes", batch=3)
    engine_of(backends={"reader": model, "scorer": model}).run(work()).result()
    assert max(map(len, model.calls)) == 3
    assert all(len({type(r) for r in call}) == 1 for call in model.calls)


def test_one_backend_object_has_one_thread_whatever_its_roles(engine_of, works):
    threads = set()

    class Watching(Scripted):
        def serve(self, requests, emit):
            threads.add(threading.get_ident())
            return super().serve(requests, emit)

    def work():
        yield [works.prompt("a", role="reader"), works.prompt("b", role="worker")]

    model = Watching(default="yes")
    engine = engine_of(backends={"reader": model, "worker": model})
    for _ in range(3):
        engine.run(work()).result()
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_no_waves(engine_of, works):
    """Fast works run all their steps while a slow one still waits for its first reply."""
    reader = ScriptedRemote([Rule("slow", "at last", delay=0.4)], default="quick")
    jobs = [Job("slow", lambda: works.one("slow"))]
    jobs += [Job(f"fast {i}", lambda i=i: works.chain(*(f"{i}.{k}" for k in range(5)))) for i in range(6)]
    assert [outcome.key for outcome in engine_of(reader).map(jobs)][-1] == "slow"


def test_a_work_waits_for_its_own_replies_only(engine_of, works):
    """Two models: the worker's slow batch does not hold up the reader's works."""
    slow = Scripted([Rule("", "slow", delay=0.3)])
    engine = engine_of(backends={"reader": Scripted(default="quick"), "worker": slow})
    jobs = [Job("slow", lambda: works.one("q", role="worker")), Job("fast", lambda: works.chain("a", "b", "c"))]
    assert [outcome.key for outcome in engine.map(jobs)] == ["fast", "slow"]


def test_a_slow_step_holds_up_nobody_else(engine_of, works):
    def thinking():
        time.sleep(0.3)
        return (yield from works.one("q"))

    engine = engine_of(Scripted(default="yes"))
    jobs = [Job("slow", thinking), Job("fast", lambda: works.chain("a", "b"))]
    assert [outcome.key for outcome in engine.map(jobs)] == ["fast", "slow"]


def test_remote_calls_stay_below_their_concurrency(engine_of, works):
    class Counting(ScriptedRemote):
        now = most = 0

        async def call(self, request, emit):
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                return await super().call(request, emit)
            finally:
                self.now -= 1

    reader = Counting([Rule("", "yes", delay=0.002)], concurrency=5)
    assert len(list(engine_of(reader).map(works.jobs(60)))) == 60
    assert reader.most == 5


def test_at_most_in_flight_jobs_are_pulled_ahead_of_the_consumer(engine_of, works):
    pulled = []

    def jobs():
        for job in works.jobs(100):
            pulled.append(job.key)
            yield job

    outcomes = engine_of(Scripted(default="yes"), in_flight=7).map(jobs())
    for taken in range(1, 30):
        next(outcomes)
        assert len(pulled) <= taken + 7
    outcomes.close()


def test_jobs_are_pulled_and_works_stepped_off_the_callers_thread(engine_of, works):
    threads = set()

    def jobs():
        threads.add(threading.get_ident())
        yield Job("k", work)

    def work():
        threads.add(threading.get_ident())
        return (yield from works.one("q"))

    list(engine_of(Scripted(default="yes")).map(jobs()))
    assert threading.get_ident() not in threads


def test_a_generator_is_never_stepped_by_two_threads_at_once(engine_of, works):
    inside = []

    def work(i):
        for k in range(3):
            inside.append(i)
            assert inside.count(i) == 1
            time.sleep(0.0005)
            inside.remove(i)
            yield [works.prompt(f"{i} {k} {n}") for n in range(3)]
        return i

    outcomes = engine_of(ScriptedRemote(default="yes")).map(Job(str(i), lambda i=i: work(i)) for i in range(40))
    assert sorted(outcome.result() for outcome in outcomes) == list(range(40))


def test_an_error_of_the_jobs_iterable_comes_after_what_it_gave(engine_of, works):
    def jobs():
        yield from works.jobs(3)
        raise ValueError("line 4 is broken: mend it")

    seen = []
    with pytest.raises(ValueError, match="line 4"):
        seen.extend(outcome.result() for outcome in engine_of(Scripted(default="yes")).map(jobs()))
    # extend() keeps what came before the error
    assert seen == ["yes"] * 3


def test_map_of_nothing(engine_of):
    assert list(engine_of(Scripted()).map([])) == []


def test_progress_is_told_on_the_callers_thread(engine_of, works):
    events, threads = [], set()

    def listen(event):
        events.append(event)
        threads.add(threading.get_ident())

    list(engine_of(Scripted(default="a b")).map([Job("k", lambda: works.chain("x", "y"))], on_event=listen))
    assert threads == {threading.get_ident()}
    assert [(e.done, e.asked, e.tokens) for e in events] == [(0, 1, 0), (1, 1, 5), (1, 2, 5), (2, 2, 10)]


def test_models_are_facts_only(engine_of):
    models = engine_of(Scripted(window=99)).models
    assert models.reader.window == 99
    assert models.reader.name == "scripted"


def test_a_closed_engine_says_so(engine_of, works):
    engine = engine_of(Scripted(default="yes"))
    engine.run(works.one("q"))
    engine.close()
    engine.close()
    with pytest.raises(ConfigError, match="closed"):
        engine.run(works.one("q"))


def test_closing_closes_each_backend_once(engine_of, works):
    class Closing(Scripted):
        closed = 0

        def close(self):
            self.closed += 1

    for use in (True, False):
        model = Closing(default="yes")
        engine = engine_of(backends={"reader": model, "worker": model})
        if use:
            engine.run(works.one("q"))
        engine.close()
        engine.close()
        assert model.closed == 1


def test_closing_ends_what_other_threads_wait_for(engine_of, works):
    reader = ScriptedRemote([Rule("", "late", delay=30)])
    engine = engine_of(reader)
    seen: list[BaseException | Outcome] = []

    def wait():
        try:
            seen.append(engine.run(works.one("q")))
        except RequestFailed as error:
            seen.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    end = time.monotonic() + 5
    while not reader.calls and time.monotonic() < end:
        time.sleep(0.005)
    engine.close()
    thread.join(5)
    assert not thread.is_alive()
    assert isinstance(seen[0], RequestFailed)


@pytest.mark.parametrize("style", ["sync", "async"])
def test_the_end_of_the_engines_loop_cancels_no_caller(engine_of, works, style):
    reader = ScriptedRemote([Rule("", "late", delay=30)])
    engine = engine_of(reader)

    def stop():
        end = time.monotonic() + 5
        while not reader.calls and time.monotonic() < end:
            time.sleep(0.005)
        engine._site._open[0].stop()

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(RequestFailed, match="closed while it drove"):
        engine.run(works.one("q")) if style == "sync" else asyncio.run(engine.arun(works.one("q")))
    thread.join()
    engine._site._closed = True  # nothing is left to close


def test_an_engine_called_from_its_own_loop_says_so_instead_of_hanging(engine_of, works):
    class Nested(ScriptedRemote):
        async def call(self, request: Generate, emit):
            return engine.run(works.one("again")).value

    engine = engine_of(Nested())
    assert "own loop" in str(engine.run(works.one("q")).error)


def test_messages_with_history(engine_of):
    def work():
        [reply] = yield [Generate((Message("system", "s"), Message("user", "u"), Message("assistant", "a")))]
        return reply.text

    assert engine_of(Scripted()).run(work()).result() == "u"
