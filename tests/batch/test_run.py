from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from ragctx.batch import JobStore, Stopped, Tick, run_job, status
from ragctx.errors import BudgetSpent, ConfigError, RagctxError, StoreFull, StoreLocked
from ragctx.readers.scripted import Rule
from ragctx.types import Answer, Budget, Question
from ragctx.work import Embed, Failure, Generate, Message, ask


def test_every_row_is_answered_with_its_whole_account(bench):
    with bench.open(notes=("hybrid is BM25 alone",)) as store:
        results = bench.run(store)
        stored = {result.id: result for result in store.results()}
        spent = store.spent()
    assert len(results) == 12
    assert {result.id: result for result in results} == stored
    answer = stored["q03"].answer
    assert answer.text.startswith("half draft What is 3?")
    assert (answer.question, answer.strategy, answer.notes) == ("q03", "steps", ("hybrid is BM25 alone",))
    assert answer.decision.why == "the only one"
    assert answer.usage.calls == 3
    assert spent.calls == bench.calls == 36
    assert spent.tokens == sum(result.answer.usage.tokens for result in results)
    assert spent.money == pytest.approx(spent.tokens)


def test_results_come_in_the_order_the_questions_were_given(bench):
    with bench.open() as store:
        bench.run(store)
        assert [result.id for result in store.results()] == [question.id for question in bench.questions()]


def test_a_finished_job_asks_nothing(bench):
    with bench.open() as store:
        bench.run(store)
        assert bench.run(store) == []
    assert bench.calls == 36


@pytest.mark.parametrize("stop_after", [1, 4, 11])
def test_resumed_equals_uninterrupted(bench, another, ledger, stop_after):
    with another.open() as store:
        another.run(store)
        expected, expected_ledger = {r.id: r.answer.text for r in store.results()}, ledger(store)
        expected_spent = store.spent()
    with bench.open() as store:
        bench.run(store, stop_after=stop_after)
        assert status(store).done == stop_after
    with bench.open() as store:
        bench.run(store)
        assert {result.id: result.answer.text for result in store.results()} == expected
        assert ledger(store) == expected_ledger
        spent = store.spent()
        assert (spent.tokens, spent.calls, spent.money) == (
            expected_spent.tokens,
            expected_spent.calls,
            expected_spent.money,
        )


def settled(read: Callable[[], tuple[int, int]], pause: float = 0.1) -> tuple[int, int]:
    """What is read twice alike: calls that were in flight when a run stopped may still come home."""
    for _ in range(50):
        before = read()
        time.sleep(pause)
        if before == read():
            return before
    raise AssertionError(f"calls still come home after {50 * pause:.0f} s")


def test_stored_replies_are_replayed_and_not_billed(bench):
    with bench.open() as store:
        bench.run(store, stop_after=1)
        before, begun = settled(lambda: (store.spent().calls, bench.calls))
        assert before > 3  # rows that were not finished have replies too
        results = bench.run(store)
        assert bench.calls - begun == 36 - before
        assert all(result.answer.usage.calls == 3 for result in results)
        assert all(result.answer.usage.replayed == 0 for result in results)  # as if never interrupted


def test_what_was_spent_on_an_unfinished_row_is_known(bench):
    bench.read = _first_then(RuntimeError("power cut"))
    with bench.open(bench.questions(1)) as store:
        with bench.engine(store) as engine:
            running = run_job(store, engine, bench.make_job)
            store.finish = _raise(KeyboardInterrupt)
            store.fail = _raise(KeyboardInterrupt)
            with pytest.raises(KeyboardInterrupt):
                next(running)
        spent = store.spent()
        assert (spent.calls, status(store).pending) == (1, 1)
        assert spent.money > 0


def test_a_request_of_two_rows_is_billed_to_one_of_them(bench):
    bench.read = _shared
    bench.in_flight = 1
    with bench.open() as store:
        bench.run(store, stop_after=5)
        bench.run(store)
        answers = [result.answer for result in store.results()]
        assert sum(answer.usage.calls for answer in answers) == store.spent().calls == 13
        assert sum(answer.usage.replayed for answer in answers) == 11


def test_equal_requests_at_the_same_time_are_billed_once(bench):
    bench.read = _shared
    bench.rules = [Rule("shared", "yes", delay=0.05)]
    with bench.open() as store:
        bench.run(store)
        answers = [result.answer for result in store.results()]
        assert sum(answer.usage.calls for answer in answers) == store.spent().calls == bench.calls == 13


def test_a_work_may_go_on_without_a_model_that_is_not_there(bench):
    def read(question):
        try:
            yield [Embed((question.text,))]
        except ConfigError as error:
            return Answer(str(error))

    bench.read = read
    with bench.open(bench.questions(1)) as store:
        [result] = bench.run(store)
    assert "no model plays the role 'encoder'" in result.answer.text


def test_attempts_that_failed_are_billed_to_a_row_that_was_never_finished(bench):
    failure = Failure("empty", "nothing came", prompt_tokens=100, output_tokens=10)
    bench.rules = [Rule("draft", "yes", failures=1, failure=failure), Rule("half", delay=30)]
    with bench.open(bench.questions(2)) as store:
        with bench.engine(store) as engine, contextlib.closing(run_job(store, engine, bench.make_job)) as running:
            thread = threading.Thread(target=lambda: list(running), daemon=True)
            thread.start()
            _wait_for(lambda: store.spent().calls == 2)
            engine.close()
            thread.join(10)
        spent = store.spent()
    assert (spent.calls, spent.tokens) == (2, 2 * (110 + 7 + 1))


def test_sampled_replies_are_the_rows_own(bench):
    def sampled(question):
        from ragctx.work import Sampling

        [reply] = yield [Generate((Message("user", "same for all"),), sampling=Sampling(temperature=1.0))]
        return Answer(reply.text)

    bench.read = sampled
    with bench.open() as store:
        bench.run(store, stop_after=3)
        bench.run(store)
        assert store.query("SELECT count(*) FROM replies") == [(12,)]
        assert store.spent().calls == 12


def test_vectors_are_asked_again_and_billed_as_they_were(bench):
    def embedding(question):
        [vectors] = yield [Embed((question.text,), query=True, role="reader")]
        return Answer(str(vectors.rows.shape))

    bench.read = embedding
    with bench.open() as store:
        bench.run(store)
        assert store.spent().calls == 12
        assert store.query("SELECT count(*) FROM replies") == [(0,)]


def test_failures_are_rows_and_stay_until_they_are_retried(bench):
    bench.rules = [
        Rule("draft What is 3?", Failure("unauthorised", "no such key: set OPENAI_API_KEY")),
        Rule("draft What is 5?", Failure("server", "on fire")),
    ]
    with bench.open() as store:
        results = {result.id: result for result in bench.run(store)}
        failure = results["q03"].failure
        assert (failure.name, failure.exit_code, failure.attempts) == ("RequestFailed", 5, 1)
        assert "OPENAI_API_KEY" in failure.message
        assert results["q03"].answer is None
        now = status(store)
        assert (now.done, now.failed, now.pending, now.failures) == (10, 2, 0, {"RequestFailed": 2})
        assert bench.run(store) == []  # not tried again by itself

        bench.rules = [Rule("draft What is 5?", Failure("server", "still on fire"))]
        assert store.retry_failed() == 2
        assert status(store).pending == 2
        again = {result.id: result for result in bench.run(store)}
        assert again["q03"].answer is not None
        assert again["q05"].failure.attempts == 2
        assert (status(store).done, status(store).failed) == (11, 1)


def test_any_error_of_a_strategy_is_its_rows_failure(bench):
    def broken(question):
        if question.id == "q01":
            return "not an Answer"
        if question.id == "q02":
            return Answer("x", data=object())
        if question.id == "q03":
            raise ZeroDivisionError
        yield from ask(Generate((Message("user", question.text),), role="nobody" if question.id == "q04" else "reader"))
        return Answer("fine")

    bench.read = broken
    with bench.open() as store:
        results = {result.id: result for result in bench.run(store)}
    names = {id: result.failure.name for id, result in results.items() if result.failure}
    assert names["q01"] == "RagctxError"
    assert names["q02"] == "TypeError"
    assert names["q03"] == "ZeroDivisionError"
    assert set(names) <= {"q01", "q02", "q03", "q04"}
    assert len(results) == 12


def test_a_row_that_no_strategy_can_read_is_a_failure(bench):
    def make_job(question, decision):
        if question.id == "q02":
            raise RagctxError("no strategy fits: raise the budget")
        return bench.make_job(question, decision)

    with bench.open() as store, bench.engine(store) as engine:
        results = {result.id: result for result in run_job(store, engine, make_job)}
    assert results["q02"].failure.message == "no strategy fits: raise the budget"
    assert sum(result.answer is not None for result in results.values()) == 11


def test_a_retry_asks_only_what_failed_unless_told_otherwise(bench):
    bench.read = _first_then(ValueError("cannot parse"))
    with bench.open(bench.questions(2)) as store:
        bench.run(store)
        assert bench.calls == 2
        store.retry_failed()
        bench.run(store)
        assert bench.calls == 2
        store.retry_failed(anew=True)
        bench.run(store)
        assert bench.calls == 4
        assert [result.failure.attempts for result in store.results()] == [3, 3]
        assert store.spent().calls == 4


def test_failed_rows_are_billed(bench):
    bench.read = _first_then(ValueError("cannot parse"))
    with bench.open() as store:
        bench.run(store)
        assert store.spent().calls == bench.calls == 12
        assert store.query("SELECT count(*) FROM charges WHERE claimed = 0") == [(0,)]


def test_a_questions_own_budget_holds(bench):
    question = Question("What is dear?", id="a", budget=Budget(calls=2))
    with bench.open([question]) as store:
        [result] = bench.run(store)
        assert result.failure.name == BudgetSpent.__name__
        assert result.failure.exit_code == 4
        assert store.spent().calls == 1


def test_a_budget_that_was_exceeded_before_a_kill_is_told_after_it(bench):
    bench.rules = [Rule("", "yes", prompt_tokens=500)]
    with bench.open([Question("What is dear?", id="a", budget=Budget(tokens=1_300))]) as store:
        finish, store.finish = store.finish, _raise(KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            bench.run(store)
        store.finish = finish
        [result] = bench.run(store)
    assert bench.calls == 3
    assert result.answer.usage.calls == 3
    [note] = result.answer.notes
    assert note.startswith("the budget of 1,300 tokens was exceeded: 1,503 were billed; scripted billed more than")


def test_a_ceiling_leaves_the_rest_pending_with_a_reason(bench):
    events = []
    with bench.open() as store:
        results = bench.run(store, max_cost=300.0, on_event=events.append)
        now = status(store)
        assert 0 < len(results) < 12
        assert now.spent.money <= 300
        assert now.pending == 12 - len(results)
        assert "raise the ceiling" in now.stopped
        assert events[-1] == Stopped(now.stopped, now.pending)
        assert bench.run(store, max_cost=300.0) == []
        rest = bench.run(store, max_cost=3000.0)
        assert len(results) + len(rest) == 12
        assert status(store).stopped == ""


def test_a_ceiling_counts_what_rows_really_cost(bench):
    """Rows were expected to cost twice what they do: the ceiling admits what fits, not what was feared."""
    with bench.open(money=120.0) as store:
        bench.run(store, max_cost=400.0)
        spent, done = status(store).spent.money, status(store).done
    assert 400 - 120 < spent <= 400
    assert done > 400 // 120


def test_a_ceiling_without_prices_is_refused(bench):
    with bench.open(money=None) as store, pytest.raises(ConfigError, match="no known price"):
        bench.run(store, max_cost=1.0)
    assert bench.calls == 0


def test_ticks_tell_how_far_the_job_is(bench):
    events = []
    questions = [*bench.questions(4), Question("Please decline", id="d")]
    with bench.open(questions) as store:
        bench.run(store, on_event=events.append)
    ticks = [event for event in events if isinstance(event, Tick)]
    assert [tick.done for tick in ticks] == [0, 1, 2, 3, 4, 5]
    assert (ticks[0].pending, ticks[-1].pending, ticks[-1].declined) == (5, 0, 1)
    assert ticks[-1].tokens > 0
    assert ticks[-1].seconds_left == 0


def test_ctrl_c_loses_nothing_and_says_so(bench):
    bench.rules = [Rule("draft What is 7?", delay=30)]
    events = []
    with bench.open() as store:
        running = _running(bench, store, events)
        first = [next(running) for _ in range(3)]
        threading.Timer(0.1, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            list(running)
        done = status(store).done
        assert len(first) <= done < 12
        assert "nothing is lost" in status(store).stopped
        assert isinstance(events[-1], Stopped)
        bench.rules = []
        assert len(bench.run(store)) == 12 - done


def test_plan_against_actual(bench):
    with bench.open(bench.questions(3)) as store:
        bench.run(store)
        now = status(store)
    assert now.expected["calls"] == now.actual["calls"] == 9
    assert now.ratios["tokens"] == pytest.approx(now.spent.tokens / (3 * 60))
    assert now.ratios["money"] == pytest.approx(now.spent.money / (3 * 60))
    assert "seconds" not in now.ratios  # no speed was known
    assert (now.answered, now.declined, now.done) == (3, 0, 3)


def test_a_job_that_runs_elsewhere_is_refused(bench):
    with bench.open() as store, bench.open() as other, store.lock(), pytest.raises(StoreLocked, match="process"):
        bench.run(other)


def test_a_full_disk_ends_the_run_and_loses_nothing(bench, monkeypatch):
    with bench.open() as store:
        bench.run(store, stop_after=3)
        write = store._database.write

        def full(step):
            raise StoreFull("no room to write job.sqlite: free some space")

        with bench.engine(store) as engine, monkeypatch.context() as patch:
            running = run_job(store, engine, bench.make_job)
            first = next(running)
            patch.setattr(store._database, "write", full)
            with pytest.raises(StoreFull, match="free some space"):
                list(running)
        assert store._database.write == write
        assert status(store).failed == 0
        bench.run(store)
        now = status(store)
        assert (now.done, now.failed, now.pending) == (12, 0, 0)
        assert first.id in {result.id for result in store.results()}


def test_a_bench_of_many_rows_uses_pages(bench, monkeypatch):
    monkeypatch.setattr("ragctx.batch.store.PAGE", 7)
    monkeypatch.setattr(JobStore.pending, "__defaults__", (-1, 7))
    questions = bench.questions(40)
    with bench.open(questions) as store:
        bench.run(store)
        assert [result.id for result in store.results()] == [question.id for question in questions]


def _running(bench, store, events):
    with bench.engine(store) as engine:
        yield from run_job(store, engine, bench.make_job, on_event=events.append)


def _first_then(error):
    def read(question):
        yield from ask(Generate((Message("user", question.text),)))
        raise error

    return read


def _shared(question):
    [first] = yield [Generate((Message("user", "shared"),), purpose="shared")]
    [own] = yield [Generate((Message("user", f"{question.text} {first.text}"),))]
    return Answer(own.text)


def _wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def _raise(error):
    def call(*_: object, **__: object) -> None:
        raise error

    return call


def test_replies_keep_their_place(bench):
    """`replace` on a job keeps whatever else the pipeline put on it."""
    question = Question("What is 1?", id="a", budget=Budget(tokens=10_000))
    job = bench.make_job(question, None)
    assert replace(job, key="k", scope="s").budget == Budget(tokens=10_000)
