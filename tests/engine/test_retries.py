"""What can help is tried again, with waits; what cannot is not."""

import time
from itertools import pairwise

import pytest

from ragctx.engine import Backoff, Job
from ragctx.readers.scripted import Rule, Scripted, ScriptedRemote
from ragctx.types import Budget
from ragctx.work import RETRYABLE, Failure

STYLES = [Scripted, ScriptedRemote]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", sorted(RETRYABLE))
def test_retryable_failures_are_tried_again(engine_of, works, style, kind):
    reader = style([Rule("q", "at last", failures=2, failure=Failure(kind, "wait"))])
    outcome = engine_of(reader).run(works.one("q"))
    assert outcome.result() == "at last"
    assert len(reader.calls) == 3
    assert len(outcome.usage.charges) == 1


@pytest.mark.parametrize("kind", ["too_long", "unauthorised", "bad_request", "cancelled", "crashed"])
def test_others_are_not(engine_of, works, kind):
    reader = Scripted([Rule("q", Failure(kind, "no"))])
    assert engine_of(reader).run(works.one("q")).error.kind == kind
    assert len(reader.calls) == 1


@pytest.mark.parametrize(("attempts", "calls"), [(1, 1), (3, 3)])
def test_attempts_are_counted(engine_of, works, attempts, calls):
    reader = Scripted([Rule("q", Failure("server", "down"))])
    [failure] = engine_of(reader, attempts=attempts).run(works.many("q", tolerant=True)).result()
    assert (failure.kind, failure.attempts) == ("server", attempts)
    assert len(reader.calls) == calls


def test_the_server_says_how_long_to_wait(engine_of, works):
    limited = Failure("rate_limit", "slow down", retry_after=0.2)
    reader = Scripted([Rule("q", "yes", failures=1, failure=limited)])
    began = time.perf_counter()
    assert engine_of(reader).run(works.one("q")).result() == "yes"
    assert 0.2 <= time.perf_counter() - began < 1.5


def test_a_server_that_asks_for_too_much_patience_is_not_asked_again(engine_of, works):
    reader = Scripted([Rule("q", Failure("rate_limit", "tomorrow", retry_after=86_400))])
    engine = engine_of(reader, backoff=Backoff(initial=0.001, jitter=0, patience=60))
    assert engine.run(works.one("q")).error.kind == "rate_limit"
    assert len(reader.calls) == 1


def test_waits_grow(engine_of, works):
    times = []

    class Timed(Scripted):
        def serve(self, requests, emit):
            times.append(time.perf_counter())
            return super().serve(requests, emit)

    reader = Timed([Rule("q", Failure("server", "down"))])
    engine_of(reader, backoff=Backoff(initial=0.03, longest=1, jitter=0)).run(works.one("q"))
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert len(waits) == 3
    assert waits[0] >= 0.03
    assert waits[1] >= 0.06
    assert waits[2] >= 0.12


def test_a_retry_that_waits_holds_up_nobody(engine_of, works):
    limited = Failure("rate_limit", "slow down", retry_after=0.4)
    reader = ScriptedRemote([Rule("limited", "yes", failures=1, failure=limited)], default="quick", concurrency=1)
    jobs = [Job("limited", lambda: works.one("limited")), Job("fast", lambda: works.chain("a", "b", "c"))]
    assert [outcome.key for outcome in engine_of(reader).map(jobs)] == ["fast", "limited"]


def test_the_deadline_ends_a_wait(engine_of, works):
    reader = Scripted([Rule("q", Failure("rate_limit", "slow down", retry_after=30))])
    engine = engine_of(reader, backoff=Backoff(patience=60))
    began = time.perf_counter()
    outcome = engine.run(works.one("q"), budget=Budget(seconds=0.1))
    assert outcome.error.what == "seconds"
    assert time.perf_counter() - began < 5
    assert engine.run(works.one("other")).result() == "other"
