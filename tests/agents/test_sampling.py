"""Several runs of one strategy: how they differ, how they agree, what they cost, and what happens when some fail."""

from __future__ import annotations

from itertools import count

import pytest

from ragctx.agents.agreement import alike
from ragctx.agents.demonstrated import DemonstratedRetrieval
from ragctx.agents.examples import Example
from ragctx.agents.sampling import BestOfN
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError, LimitError, RequestFailed
from ragctx.strategies import Full, Retrieve
from ragctx.types import Answer, Budget, Question
from ragctx.work import Failure

ASKED = Question("What is the notice period of the lease?")
PLAIN = Retrieve(retriever="bm25", prune=None, rerank=False, max_output=64)


def corpus() -> Corpus:
    texts = {
        f"clause {n}": f"Clause {n} of the lease says that matter {n} has a period of its own. " * 8 for n in range(12)
    }
    return Corpus.of({"lease": "The notice period of the lease is three months. It was six months once.", **texts})


def by_run(*lines: str | Failure):
    """The n-th run says the n-th line."""
    return {"answer": lambda request: lines[request.sampling.sample]}


def test_runs_go_out_together_and_every_call_is_another_sample(replying) -> None:
    reader = replying()
    answer = reader.answer(BestOfN(PLAIN, n=4), ASKED, corpus())
    assert [len(batch) for batch in reader.batches] == [4]
    assert [r.sampling.sample for r in reader.requests] == [0, 1, 2, 3]
    assert [r.sampling.temperature for r in reader.requests] == [0.0, 0.7, 0.7, 0.7]
    assert len({r.sampling.seed for r in reader.requests}) == 4
    assert not any(r.final for r in reader.requests)
    assert (answer.confidence, answer.strategy) == (1.0, "best-of-n")


def test_most_runs_decide_and_their_share_is_the_confidence(replying) -> None:
    says = by_run("Six months.", "Three months [1].", "3 months", "The notice period is three months.", "Six months.")
    answer = replying(says=says).answer(BestOfN(PLAIN), ASKED, corpus())
    assert "hree months" in answer.text
    assert answer.confidence == 0.6
    assert answer.citations[0].source == "lease"
    assert any("3 of 5 runs" in note for note in answer.notes)


def test_refusals_vote_too(replying) -> None:
    refusal = "Not in the documents."
    answer = replying(says=by_run("Six months.", refusal, refusal)).answer(BestOfN(PLAIN, n=3), ASKED, corpus())
    assert not answer.answerable
    assert answer.confidence == pytest.approx(2 / 3, abs=1e-3)


def test_a_failed_run_is_missed_and_told(replying) -> None:
    down = Failure("server", "the server is down")
    answer = replying(says=by_run("Three months.", down, "Three months.")).answer(BestOfN(PLAIN, n=3), ASKED, corpus())
    assert answer.confidence == 1.0
    assert any("1 of 3 runs failed" in note for note in answer.notes)
    with pytest.raises(RequestFailed, match="server is down"):
        replying(says=by_run(down, down)).answer(BestOfN(PLAIN, n=2), ASKED, corpus())


def test_a_judge_is_asked_only_where_runs_disagree(replying) -> None:
    says = {**by_run("Six months.", "Six months.", "Three months [1]."), "choose best": "The best is 2."}
    reader = replying(says=says)
    answer = reader.answer(BestOfN(PLAIN, n=3, rule="judge"), ASKED, corpus())
    assert answer.text == "Three months."
    assert answer.confidence == pytest.approx(1 / 3, abs=1e-3)
    prompt = reader.requests[-1].messages[-1].content
    assert "1. Six months.\n2. Three months." in prompt
    assert "The notice period of the lease is three months." in prompt.partition(" end\n")[0]
    agreed = replying()
    agreed.answer(BestOfN(PLAIN, n=3, rule="judge"), ASKED, corpus())
    assert not agreed.asked("choose best")


@pytest.mark.parametrize("said", ["neither", "", "7", Failure("server", "down")])
def test_a_judge_of_no_use_leaves_the_vote(replying, said) -> None:
    says = {**by_run("Six months.", "Three months.", "Three months."), "choose best": lambda request: said}
    answer = replying(says=says).answer(BestOfN(PLAIN, n=3, rule="judge"), ASKED, corpus())
    assert answer.text == "Three months."
    assert any("the runs voted" in note for note in answer.notes)


def test_orders_spans_and_demonstrations_vary(replying) -> None:
    shots = (Example("Who pays?", "A"), Example("Who owns it?", "B"), Example("Who signs?", "C"))
    drag = DemonstratedRetrieval(shots, shots=1, retriever="bm25", documents=2)
    for inner, way in ((PLAIN, "orders"), (PLAIN, "spans"), (drag, "demonstrations")):
        reader = replying(window=16_000)
        reader.answer(BestOfN(inner, n=3, vary=way), ASKED, corpus())
        assert len({request.messages for request in reader.requests}) == 3, way
        assert {request.sampling.temperature for request in reader.requests} == {0.0}, way
        assert all("three months" in request.messages[-1].content for request in reader.requests), "the best one stays"


def test_any_strategy_with_several_calls_can_be_run_several_times(replying) -> None:
    reader = replying()
    answer = reader.answer(BestOfN("iterative", n=3), ASKED, corpus())
    assert "three months" in answer.text
    assert max(map(len, reader.batches)) == 3
    assert len(reader.batches) * 3 == len(reader.requests)


@pytest.mark.parametrize("rule", ["vote", "judge"])
def test_the_budget_holds_for_all_runs_together(replying, rule: str) -> None:
    made = []
    for tokens in (700, 1_500, 4_000, 8_000, 20_000):
        turn = count()
        said = {"answer": lambda request, turn=turn: f"{next(turn) + 2} months.", "choose best": "1"}
        reader = replying(says=said, budget=tokens, window=8_000)
        asked = Question(ASKED.text, budget=Budget(tokens=tokens))
        answer = reader.answer(BestOfN(PLAIN, rule=rule), asked, corpus())
        made.append(len(reader.asked("answer")))
        assert made[-1] == 5 or any("the budget holds no more" in note for note in answer.notes)
    assert made == sorted(made)
    assert (made[0], made[-1]) == (1, 5)
    with pytest.raises(LimitError):
        replying(budget=20).answer(BestOfN(PLAIN), Question(ASKED.text, budget=Budget(tokens=20)), corpus())


@pytest.mark.parametrize("calls", [1, 2, 3, 9])
def test_calls_are_counted(replying, calls: int) -> None:
    reader = replying(calls=calls)
    reader.answer(BestOfN(PLAIN), Question(ASKED.text, budget=Budget(calls=calls)), corpus())
    assert len(reader.requests) == min(5, calls)


def test_the_estimate_is_the_sum_of_the_runs(replying) -> None:
    for ways in (("samples",), ("samples", "orders")):
        reader, reading = replying(beside=()), BestOfN(PLAIN, n=4, vary=ways)
        estimate = reading.estimate(ASKED, corpus(), reader.models)
        reader.answer(reading, ASKED, corpus())
        assert estimate.prompt.expected == reader.prompt_tokens
        assert estimate.calls.expected == 4
        assert estimate.exact


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Yes.", "Yes, the lease allows it.", True), ("Yes.", "No.", False), ("No", "no, never", True),
        ("Pets are allowed.", "Pets are not allowed.", False), ("1,200 euros", "The fee is 1200 euros.", True),
        ("Ada Lind", "Ada Lind.", True), ("Ada Lind", "Bo Lind", False), ("12 May", "13 May", False),
        ("好", "好。", True),
    ],
)  # fmt: skip
def test_which_answers_say_the_same(one: str, other: str, same: bool) -> None:
    assert alike(Answer(one), Answer(other), "What is the fee for pets?") is same
    assert alike(Answer(other), Answer(one), "What is the fee for pets?") is same


def test_settings_that_make_no_sense() -> None:
    wrong = [{"n": 0}, {"temperature": 0}, {"rule": "dice"}, {"over": "best-of-n"}, {"vary": "moods"}, {"vary": ()}]
    for options in wrong:
        with pytest.raises(ConfigError):
            BestOfN(**options)
    with pytest.raises(ConfigError, match="full cannot be varied by orders: choose from samples"):
        BestOfN(Full(), vary="orders")
