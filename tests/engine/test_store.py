"""Replies are paid for once: keys, stores, replays, requests that are under way at the same time."""

import os
import sqlite3
import stat
import threading
import time
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragctx.engine import BillingStore, GroupStore, Job, MemoryStore, SqliteStore, reply_key
from ragctx.engine.codec import dump_reply, load_reply
from ragctx.errors import BudgetSpent, StoreCorrupt, StoreError, StoreFull, StoreLocked
from ragctx.folders import cache_folder
from ragctx.models import ModelFacts
from ragctx.readers.scripted import Rule, Scripted, ScriptedRemote
from ragctx.work import (
    Completion,
    Embed,
    Failure,
    Generate,
    Message,
    Relevances,
    Rerank,
    Sampling,
    Score,
    Scores,
    Stretch,
)

FACTS = ModelFacts("m", identity="m@1")
ASKED = Generate((Message("user", "Why?"),))
SAMPLED = Sampling(temperature=0.7, seed=3)
KINDS = [
    Completion("text ü \ud800", 3, 2, 1, (-0.1, -1e-9), "length", 0.25, False),
    Scores((-0.5, -2.0), (7, 8), ((0, 1), (1, 3)), 5, 0.1),
    Relevances((0.0, 1.0, 0.5), 9, 0.2),
    Relevances((0.25, 0.5), 9, 0.2, ((0.1, 1.0), ()), ((Stretch(0, 3, 0.5), Stretch(4, 9, 0.125)), ())),
]


# Keys.


def other(value):
    if isinstance(value, bool):
        return not value
    return ("x",) if isinstance(value, tuple) else value + 1


@pytest.mark.parametrize("name", [f.name for f in fields(Sampling)])
def test_every_sampling_parameter_is_in_the_key(name):
    sampling = Sampling(temperature=0.5)
    changed = replace(sampling, **{name: other(getattr(sampling, name))})
    keys = {reply_key(replace(ASKED, sampling=s), FACTS, "job") for s in (sampling, changed)}
    assert len(keys) == 2


def test_what_else_is_in_the_key():
    changed = [
        ASKED,
        replace(ASKED, messages=(Message("system", "Why?"),)),
        replace(ASKED, messages=(Message("user", "Why"), Message("user", "?"))),
        replace(ASKED, schema="{}"),
        Score("Why?", ""),
        Score("Why", "?"),
        Embed(("Why?",)),
        Embed(("Why?",), query=True),
        Embed(("Why", "?")),
        Rerank("Why?", ()),
        Rerank("Why?", ("a",)),
        Rerank("Why?", ("a",), titles=("b",)),
        Rerank("Why?", ("a",), units=(((0, 1),),)),
        Rerank("Why?", ("a",), answers=1),
    ]
    keys = [reply_key(request, FACTS) for request in changed]
    assert len(set(keys)) == len(keys)
    assert reply_key(ASKED, replace(FACTS, identity="m@2")) != reply_key(ASKED, FACTS)


def test_what_decides_nothing_is_not_in_the_key():
    same = replace(ASKED, role="worker", purpose="notes", final=True, tolerant=True)
    assert reply_key(same, FACTS) == reply_key(ASKED, FACTS)


def test_sampled_replies_have_a_key_only_within_a_scope():
    sampled = replace(ASKED, sampling=SAMPLED)
    assert reply_key(sampled, FACTS) is None
    assert reply_key(sampled, FACTS, "one") != reply_key(sampled, FACTS, "two")
    assert reply_key(ASKED, FACTS, "one") == reply_key(ASKED, FACTS, "two")


def test_keys_do_not_change_from_release_to_release():
    """A stored reply must be found by the next version; change `keys.FORMAT` when this has to change."""
    assert reply_key(ASKED, FACTS) == "1e3ef0f70840cf5545198c73e01f3348dc69259a7b9afdc8fa0dbf972cb954ed"


# Replies as text.


@pytest.mark.parametrize("reply", KINDS, ids=lambda reply: type(reply).__name__)
def test_replies_survive_being_text(reply):
    assert load_reply(dump_reply(reply)) == reply


def test_stretches_are_stretches_again_and_old_replies_have_none():
    loaded = load_reply(dump_reply(Relevances((0.5,), answers=((Stretch(0, 3, 0.5),),))))
    assert [type(place) for place in loaded.answers[0]] == [Stretch]
    old = '{"kind":"Relevances","values":[0.5],"tokens":3,"seconds":0.0}'
    assert load_reply(old) == Relevances((0.5,), 3)


def test_vectors_survive_being_text():
    from ragctx.work import Vectors

    rows = np.arange(6, dtype=np.float32).reshape(2, 3) / 7
    loaded = load_reply(dump_reply(Vectors(rows, tokens=4)))
    assert np.array_equal(loaded.rows, rows)
    assert (loaded.rows.dtype, loaded.tokens) == (np.float32, 4)


@given(st.text(), st.integers(0, 10**9), st.floats(allow_nan=False), st.lists(st.floats(allow_nan=False)))
def test_any_completion_survives(text, tokens, seconds, logprobs):
    reply = Completion(text, tokens, seconds=seconds, logprobs=tuple(logprobs))
    assert load_reply(dump_reply(reply)) == reply


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"kind":"os.system"}', '{"kind":"Completion","no":1}'])
def test_a_damaged_reply_is_told(text):
    with pytest.raises(StoreCorrupt, match="clear the reply cache"):
        load_reply(text)


# The SQLite file.


@pytest.fixture(params=["memory", "sqlite"])
def store(request, tmp_path):
    made = MemoryStore() if request.param == "memory" else SqliteStore(tmp_path / "replies.sqlite")
    yield made
    if isinstance(made, SqliteStore):
        made.close()


def test_get_put_info_clear(store):
    assert store.get("k") is None
    for number, reply in enumerate(KINDS):
        store.put(str(number), reply)
    assert [store.get(str(number)) for number in range(len(KINDS))] == KINDS
    assert store.info().entries == len(KINDS)
    assert store.info().bytes > 100
    store.clear()
    assert (store.info().entries, store.info().bytes, store.get("0")) == (0, 0, None)


def test_replies_outlive_the_process_that_wrote_them(tmp_path):
    path = tmp_path / "deep" / "er" / "replies.sqlite"
    first = SqliteStore(path, durable=True)
    first.put("k", KINDS[0])
    second = SqliteStore(path)  # the first is still open, as after a kill
    assert second.get("k") == KINDS[0]
    first.close()
    second.close()


def test_only_its_owner_may_read_it(tmp_path):
    old = os.umask(0)
    try:
        store = SqliteStore(tmp_path / "r.sqlite")
        store.put("k", KINDS[0])
        modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(old)
    store.close()
    assert modes == {0o600}


def test_its_place_is_the_cache_folder():
    store = SqliteStore()
    store.close()
    assert store.path.is_relative_to(cache_folder())


def test_a_file_that_is_something_else(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes " * 100)
    with pytest.raises(StoreCorrupt, match="delete it"):
        SqliteStore(path)
    assert path.read_text().startswith("these are my notes")


def test_a_path_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="name another path"):
        SqliteStore(tmp_path / "file" / "r.sqlite")


def test_a_full_disk_keeps_what_was_complete(tmp_path):
    store = SqliteStore(tmp_path / "r.sqlite")
    store.put("small", Completion("a"))
    pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
    store._writer.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own "disk is full"
    with pytest.raises(StoreFull, match="free some space"):
        store.put_all([("x", Completion("b")), ("big", Completion("b" * 100_000))])
    assert store.get("small") == Completion("a")
    assert store.get("x") is None
    store.close()


def test_a_file_another_process_keeps_locked(tmp_path):
    store = SqliteStore(tmp_path / "r.sqlite")
    store._writer.execute("PRAGMA busy_timeout = 50")
    thief = sqlite3.connect(tmp_path / "r.sqlite", isolation_level=None)
    thief.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreLocked):
        store.put("k", KINDS[0])
    thief.close()
    store.put("k", KINDS[0])
    store.close()


def test_many_threads(store):
    def use(number):
        for k in range(20):
            store.put(f"{number} {k}", Completion(str(k)))
            assert store.get(f"{number} {k}").text == str(k)

    threads = [threading.Thread(target=use, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.info().entries == 160


# The engine with a store.


@pytest.mark.parametrize("style", [Scripted, ScriptedRemote])
def test_greedy_replies_are_replayed(engine_of, works, store, style):
    reader = style(default="yes")
    engine = engine_of(reader, store=store)
    first, second = (engine.run(works.one("q")) for _ in range(2))
    assert first.result() == second.result() == "yes"
    assert len(reader.calls) == 1
    assert [(c.prompt, c.replayed) for o in (first, second) for c in o.usage.charges] == [(3, False), (0, True)]
    assert (second.usage.calls, second.usage.replayed) == (0, 1)


def test_another_engine_replays_too(engine_of, works, store):
    engine_of(Scripted(default="yes"), store=store).run(works.one("q"))
    reader = Scripted(default="yes")
    assert engine_of(reader, store=store).run(works.one("q")).result() == "yes"
    assert not reader.calls


def test_another_script_is_asked_itself(engine_of, works, store):
    engine_of(Scripted(default="yes"), store=store).run(works.one("q"))
    assert engine_of(Scripted(default="no"), store=store).run(works.one("q")).result() == "no"


def test_sampled_replies_are_replayed_within_their_scope_only(engine_of, works, store):
    reader = Scripted(default="yes")
    engine = engine_of(reader, store=store)
    options = {"sampling": {"temperature": 1.0, "max_tokens": 9}}
    for scope, calls in [("", 1), ("", 2), ("a", 3), ("a", 3), ("b", 4)]:
        engine.run(Job("k", lambda: works.one("q", **options), scope=scope)).result()
        assert len(reader.calls) == calls


def test_failures_are_not_kept(engine_of, works, store):
    reader = Scripted([Rule("q", "yes", failures=1, failure=Failure("bad_request", "no"))])
    engine = engine_of(reader, store=store)
    assert engine.run(works.one("q")).error.kind == "bad_request"
    assert engine.run(works.one("q")).result() == "yes"


def test_vectors_are_kept_only_when_asked(engine_of, store):
    def work():
        yield [Embed(("text",))]

    for remember, calls in (({"Generate"}, 2), ({"Embed"}, 1)):
        encoder = Scripted()
        engine = engine_of(backends={"encoder": encoder}, store=store, remember=remember)
        engine.run(work()).result()
        engine.run(work()).result()
        assert len(encoder.calls) == calls


def test_equal_requests_at_the_same_time_are_one_call(engine_of, works):
    reader = ScriptedRemote([Rule("q", "yes", delay=0.1)])
    outcomes = list(engine_of(reader).map(Job(str(n), lambda: works.one("q")) for n in range(10)))
    assert [outcome.result() for outcome in outcomes] == ["yes"] * 10
    assert len(reader.calls) == 1
    assert sum(outcome.usage.calls for outcome in outcomes) == 1
    assert sum(outcome.usage.replayed for outcome in outcomes) == 9


def test_equal_requests_of_one_yield_are_one_call(engine_of, works):
    reader = Scripted(default="yes")
    outcome = engine_of(reader).run(works.many("q", "q", "other", "q"))
    assert outcome.result() == ["yes"] * 4
    assert [charge.replayed for charge in outcome.usage.charges] == [False, True, False, True]


def test_sampled_requests_at_the_same_time_are_calls_of_their_own(engine_of, works):
    reader = Scripted(default="yes")
    engine_of(reader).run(works.many("q", "q", sampling={"temperature": 1.0})).result()
    assert sum(map(len, reader.calls)) == 2


def test_when_the_payer_leaves_another_pays(engine_of, works):
    """Two works share a call; the first is given up at its deadline, the call goes on for the second."""
    from ragctx.types import Budget

    reader = ScriptedRemote([Rule("q", "yes", delay=0.3)])
    jobs = [
        Job("hasty", lambda: works.one("q"), budget=Budget(seconds=0.1)),
        Job("patient", lambda: works.one("q")),
    ]
    hasty, patient = engine_of(reader).map(jobs)
    assert isinstance(hasty.error, BudgetSpent)
    assert hasty.usage.calls == 0
    assert patient.result() == "yes"
    assert patient.usage.calls == 1
    assert reader.aborted == 0


def test_a_reply_is_stored_before_the_work_sees_it(engine_of, works):
    store = MemoryStore()

    def work():
        yield [works.prompt("q")]
        return store.info().entries

    assert engine_of(Scripted(default="yes"), store=store).run(work()).result() == 1


class Slow:
    """A store whose commits take a while."""

    def __init__(self):
        self.groups = []

    def get(self, key):
        return None

    def put(self, key, reply):
        raise AssertionError("the engine writes groups where it can")

    def put_all(self, replies):
        time.sleep(0.03)
        self.groups.append(len(replies))


def test_replies_are_written_in_groups(engine_of, works):
    store = Slow()
    assert isinstance(store, GroupStore)
    list(engine_of(ScriptedRemote(default="yes", concurrency=64), store=store).map(works.jobs(60)))
    assert sum(store.groups) == 60
    assert len(store.groups) < 20


def test_a_store_may_be_told_what_each_reply_cost_and_whom(engine_of, works):
    class Billing(MemoryStore):
        told = ()

        def put_billed(self, replies):
            self.told += tuple(replies)

    store = Billing()
    assert isinstance(store, BillingStore)
    nothing = Failure("empty", "nothing came", prompt_tokens=4)
    engine = engine_of(Scripted([Rule("q", "yes", failures=1, failure=nothing)]), store=store)
    outcome = engine.run(Job("k", lambda: works.one("q", purpose="notes"), scope="row 1"))
    [kept] = store.told
    assert (kept.key, kept.reply.text, kept.scope) == (outcome.requests[0], "yes", "row 1")
    assert (kept.charge,) == outcome.usage.charges
    assert (kept.charge.purpose, kept.charge.prompt, kept.charge.output) == ("notes", 4 + 3, 1)


@pytest.mark.parametrize("broken", ["get", "put"])
def test_a_store_that_fails_ends_the_work_that_waits_and_keeps_its_ledger(engine_of, works, broken):
    class Full(MemoryStore):
        def get(self, key):
            if broken == "get":
                raise StoreCorrupt("damaged: delete it")
            return super().get(key)

        def put(self, key, reply):
            raise StoreFull("the disk is full: free some space")

    engine = engine_of(Scripted(default="yes"), store=Full())
    outcome = engine.run(works.one("q"))
    assert isinstance(outcome.error, StoreCorrupt if broken == "get" else StoreFull)
    assert outcome.usage.calls == (broken == "put")
