"""Budgets are checked on the rendered requests, before they are sent; the work may go on without."""

import threading
import time

import pytest

from ragctx.engine import Job, MemoryStore, reply_key
from ragctx.errors import BudgetSpent
from ragctx.readers.scripted import Rule, Scripted, ScriptedRemote
from ragctx.types import Budget, Prices
from ragctx.work import Embed, Failure, Rerank, Score

STYLES = [Scripted, ScriptedRemote]
SIX = {"sampling": {"max_tokens": 6}}  # "q 1" renders to 4 tokens, so each request reserves 10


def until_refused(works, ask=None):
    """Asks until the budget refuses; returns how many replies it got and what was refused."""

    def work():
        for count in range(1000):
            try:
                yield ask(count) if ask else [works.prompt(f"q {count}", **SIX)]
            except BudgetSpent as error:
                return count, error.what, error.needs, error.left
        return None

    return work()


@pytest.mark.parametrize("style", STYLES)
def test_tokens(engine_of, works, style):
    engine = engine_of(style(default="one two three"))
    outcome = engine.run(until_refused(works), budget=30)
    assert outcome.result() == (3, "tokens", 10, 9)  # 7 billed each: 10 fit 30, 23 and 16 left, not 9
    assert outcome.usage.tokens == 21


def test_uncaught_it_is_the_outcome_and_the_ledger_stays(engine_of, works):
    outcome = engine_of(Scripted(default="yes")).run(works.chain("a", "b"), budget=56)
    assert isinstance(outcome.error, BudgetSpent)
    assert outcome.usage.calls == 1


def test_calls(engine_of, works):
    outcome = engine_of(Scripted()).run(until_refused(works), budget=Budget(calls=4))
    assert outcome.result() == (4, "calls", 1, 0)
    assert outcome.usage.calls == 4


def test_money(engine_of, works):
    prices = Prices(prompt=1e6, output=2e6)  # 1 a token read, 2 a token written
    engine = engine_of(Scripted(default="a b", prices=prices))
    outcome = engine.run(until_refused(works), budget=Budget(money=33))
    assert outcome.result() == (3, "money", 16, 9)  # 8 each
    assert outcome.usage.money == 24


def test_a_yield_is_admitted_whole_or_not_at_all(engine_of, works):
    reader = Scripted(default="yes")

    def work():
        three = [works.prompt(f"q {i}", **SIX) for i in range(3)]
        try:
            yield three
        except BudgetSpent as error:
            return error.needs, error.left, len((yield three[:2]))

    outcome = engine_of(reader).run(work(), budget=25)
    assert outcome.result() == (30, 25, 2)
    assert sum(map(len, reader.calls)) == 2


def test_encoders_take_nothing_from_tokens_and_calls_but_stand_in_the_ledger(engine_of, works):
    def work():
        yield [Embed(("word " * 100,))]
        return (yield from works.one("q", **SIX))

    model = Scripted(default="yes")
    outcome = engine_of(backends={"reader": model, "encoder": model}).run(work(), budget=Budget(tokens=9, calls=1))
    assert outcome.result() == "yes"
    assert [charge.prompt for charge in outcome.usage.charges if charge.role == "encoder"] == [100]


def test_a_priced_encoder_takes_money(engine_of, works):
    encoder = Scripted(prices=Prices(prompt=1e6, output=0))
    engine = engine_of(backends={"encoder": encoder})
    outcome = engine.run(until_refused(works, lambda i: [Embed(("a b c",))]), budget=Budget(money=7))
    assert outcome.result() == (2, "money", 3, 1)


def test_a_priced_ranker_reads_query_and_title_beside_every_text(engine_of, works):
    ranker = Scripted(prices=Prices(prompt=1e6, output=0))

    def work():
        try:
            yield [Rerank("why", ("a b", "c"), titles=("t", "u"))]
        except BudgetSpent as error:
            return error.needs

    assert engine_of(backends={"ranker": ranker}).run(work(), budget=Budget(money=6)).result() == 7


def test_scores_of_the_reader_count_as_calls(engine_of, works):
    engine = engine_of(Scripted())
    outcome = engine.run(until_refused(works, lambda i: [Score("a", "b", role="reader")]), budget=Budget(tokens=7))
    assert outcome.result() == (3, "tokens", 2, 1)


def test_what_a_scorer_reads_takes_money_alone(engine_of, works):
    def work():
        yield [Score("a " * 50, "b")]
        return (yield from works.one("on"))

    outcome = engine_of(backends={"scorer": Scripted(), "reader": Scripted()}).run(
        work(), budget=Budget(tokens=60, calls=1)
    )
    assert outcome.result() == "on"
    dear = engine_of(backends={"scorer": Scripted(prices=Prices(prompt=1e6, output=0))})
    outcome = dear.run(until_refused(works, lambda i: [Score("a", "b")]), budget=Budget(money=7))
    assert outcome.result()[:2] == (3, "money")


@pytest.mark.parametrize("style", STYLES)
def test_the_deadline_aborts_calls_in_flight(engine_of, works, style):
    reader = style([Rule("slow", "late", delay=1.0)], default="quick")

    def work():
        said = yield from works.one("fast")
        try:
            yield from works.one("slow")
        except BudgetSpent as error:
            return said, error.what, error.needs

    began = time.perf_counter()
    outcome = engine_of(reader).run(work(), budget=Budget(seconds=0.1))
    assert time.perf_counter() - began < 0.8
    assert outcome.result() == ("quick", "seconds", 0.1)
    # the endpoint was sent the second prompt, so it may bill it: its rendered tokens are charged
    assert [(c.prompt, c.output) for c in outcome.usage.charges] == [(2 + 1, 1), (2 + 1, 0)]
    assert outcome.usage.charges[1].seconds > 0.05
    if style is ScriptedRemote:
        assert reader.aborted == 1


def test_after_the_deadline_nothing_is_sent(engine_of, works):
    reader = Scripted(default="yes")

    def work():
        time.sleep(0.05)
        yield from works.one("q")

    outcome = engine_of(reader).run(work(), budget=Budget(seconds=0.01))
    assert outcome.error.what == "seconds"
    assert str(outcome.error).startswith("the question's 0.01 seconds have passed")
    assert not reader.calls


def test_a_call_that_waited_for_its_turn_and_was_never_sent_is_not_charged(engine_of, works):
    reader = ScriptedRemote([Rule("", "late", delay=1.0)], concurrency=1)
    outcome = engine_of(reader).run(works.many("a", "b"), budget=Budget(seconds=0.1))
    assert len(outcome.usage.charges) == 1


def test_each_charge_names_its_request_though_others_were_never_sent(engine_of, works):
    """Of seven requests e still waits when the deadline comes, and b, which was asked after it, has its reply."""
    over = threading.Event()

    class Stuck(Scripted):
        def serve(self, requests, emit):
            if "d" in [request.messages[0].content for request in requests]:
                over.wait(10)
            return super().serve(requests, emit)

    reader = Stuck(default="yes", batch=2)  # serves p q, then a b, then c d
    outcome = engine_of(reader).run(works.many(*"pqacdeb"), budget=Budget(seconds=1.0))
    over.set()
    assert outcome.error.what == "seconds"
    assert [charge.output for charge in outcome.usage.charges] == [1, 1, 1, 0, 0, 1]
    assert outcome.requests == tuple(reply_key(works.prompt(text), reader.facts) for text in "pqacdb")


def test_failed_attempts_that_were_billed_count(engine_of, works):
    empty = Failure("empty", "nothing came", prompt_tokens=4, output_tokens=1)
    reader = Scripted([Rule("q", "yes", failures=2, failure=empty)])
    outcome = engine_of(reader).run(works.one("q 1", **SIX), budget=20)
    assert outcome.result() == "yes"
    [charge] = outcome.usage.charges
    assert (charge.prompt, charge.output) == (3 * 4, 2 * 1 + 1)


def test_no_retry_that_the_budget_does_not_cover(engine_of, works):
    empty = Failure("empty", "nothing came", prompt_tokens=4, output_tokens=1)
    reader = Scripted([Rule("q", "yes", failures=2, failure=empty)])
    outcome = engine_of(reader).run(works.one("q 1", **SIX), budget=19)  # 5 + 5 + 10 would be 20
    assert outcome.error.kind == "empty"
    assert outcome.usage.tokens == 10
    assert outcome.usage.calls == 1


def test_replayed_replies_meet_the_same_limits(engine_of, works):
    """A resumed work is refused where the first run was, so that it gives the same answer."""
    engine = engine_of(Scripted(default="one two three"), store=MemoryStore())
    first, again = (engine.run(until_refused(works), budget=30) for _ in range(2))
    assert first.result() == again.result()
    assert (again.usage.tokens, again.usage.replayed) == (0, 3)


def test_each_job_has_its_own_budget(engine_of, works):
    jobs = [Job(str(n), lambda: until_refused(works), budget=Budget(calls=n)) for n in range(5)]
    outcomes = engine_of(Scripted()).map(jobs)
    assert all(outcome.result()[0] == int(outcome.key) for outcome in outcomes)
