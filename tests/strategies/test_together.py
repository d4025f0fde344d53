"""Works side by side: one batch a round, own replies, own failures, budgets shared in order, everything closed."""

from __future__ import annotations

import pytest

from ragctx.errors import BudgetSpent, RagctxError, RequestFailed
from ragctx.strategies.together import succeeded, together
from ragctx.work import Completion, Failure, Generate, Message, Recorder, ask, run


def request(text: str, **options) -> Generate:
    return Generate((Message("user", text),), **options)


def chain(*texts: str):
    said = []
    for text in texts:
        completion = yield from ask(request(text, final=True))
        said.append(completion.text)
    return said


def echo(asked):
    return Completion(asked.messages[0].content.upper())


def sent(recorder: Recorder) -> list[list[str]]:
    return [[request.messages[0].content for request in batch] for batch in recorder.batches]


def test_requests_of_a_round_go_out_as_one_batch() -> None:
    recorder = Recorder(echo)
    results = run(together([chain("a", "b"), chain(), chain("c"), chain("d", "e", "f")]), recorder)
    assert results == [["A", "B"], [], ["C"], ["D", "E", "F"]]
    assert sent(recorder) == [["a", "c", "d"], ["b", "e"], ["f"]]
    assert not any(request.final for batch in recorder.batches for request in batch)


def test_no_works_ask_nothing() -> None:
    assert run(together([])) == []


def test_a_failure_ends_only_its_own_work() -> None:
    def reply(asked):
        return Failure("server", "it is down") if asked.messages[0].content == "b" else echo(asked)

    first, second = run(together([chain("a", "b", "c"), chain("d", "e", "f")]), Recorder(reply))
    assert isinstance(first, RequestFailed)
    assert first.kind == "server"
    assert second == ["D", "E", "F"]
    with pytest.raises(RequestFailed, match="it is down"):
        succeeded([second, first])


def test_what_a_work_tolerates_stands_in_its_slot() -> None:
    def tolerant():
        replies = yield [request("x", tolerant=True), request("y")]
        return [type(reply).__name__ for reply in replies]

    def reply(asked):
        return Failure("server", "down") if asked.messages[0].content == "x" else echo(asked)

    assert run(together([tolerant()]), Recorder(reply)) == [["Failure", "Completion"]]


def test_a_work_may_go_on_after_its_error() -> None:
    def careful():
        try:
            yield from chain("bad")
        except RequestFailed:
            return (yield from chain("good"))

    def reply(asked):
        return Failure("server", "down") if asked.messages[0].content == "bad" else echo(asked)

    assert run(together([careful(), chain("z")]), Recorder(reply)) == [["GOOD"], ["Z"]]


def driven(work, calls: int):
    """Runs the work under a budget of calls, as the engine does: a batch is admitted whole or not at all."""
    batches, step = [], lambda: next(work)
    while True:
        try:
            asked = step()
        except StopIteration as done:
            return done.value, batches
        left = calls - sum(map(len, batches))
        if len(asked) > left:
            spent = BudgetSpent("calls", len(asked), left)
            step = lambda spent=spent: work.throw(spent)  # noqa: E731
        else:
            batches.append(asked)
            step = lambda asked=asked: work.send([echo(one) for one in asked])  # noqa: E731


def test_a_budget_serves_the_first_works_and_refuses_the_rest() -> None:
    results, batches = driven(together([chain("a"), chain("b"), chain("c"), chain("d")]), calls=3)
    assert results[:3] == [["A"], ["B"], ["C"]]
    assert isinstance(results[3], BudgetSpent)
    assert list(map(len, batches)) == [2, 1]


def test_time_that_has_passed_has_passed_for_all() -> None:
    work = together([chain("a"), chain("b")])
    next(work)
    with pytest.raises(StopIteration) as done:
        work.throw(BudgetSpent("seconds", 3, 0))
    assert [type(outcome) for outcome in done.value.value] == [BudgetSpent, BudgetSpent]


def test_closing_closes_every_work() -> None:
    closed = []

    def watched(name: str):
        try:
            return (yield from chain(name))
        finally:
            closed.append(name)

    work = together([watched("a"), watched("b")])
    next(work)
    work.close()
    assert closed == ["a", "b"]


def test_an_error_that_is_not_ours_is_not_hidden() -> None:
    def broken():
        yield from chain("a")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(together([broken(), chain("b", "c")]), Recorder(echo))


def test_an_error_before_the_first_request_is_an_outcome() -> None:
    def refuses():
        raise RagctxError("not today")
        yield []

    first, second = run(together([refuses(), chain("b")]), Recorder(echo))
    assert (str(first), second) == ("not today", ["B"])
