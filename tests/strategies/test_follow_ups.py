"""Follow-ups become standalone questions, at a price, or fail aloud."""

from __future__ import annotations

import pytest

from ragctx.corpus import Corpus
from ragctx.errors import BudgetSpent, DoesNotFit, RequestFailed
from ragctx.strategies import Full, Retrieve
from ragctx.types import Budget, Question, Turn
from ragctx.work import Failure

ASKED = Question("And how long is it?", history=(Turn("user", "Is there a notice period?"), Turn("assistant", "Yes.")))
LEASE = "The notice period is three months."


@pytest.mark.parametrize("strategy", [Full(), Retrieve(retriever="bm25", rerank=False, prune=None)])
@pytest.mark.parametrize(
    "said",
    ["How long is the notice period?", 'Rewritten question: "How long is the notice period?"\n\nIt is long.',
     "\n  Question: How long is the notice period? "],
)  # fmt: skip
def test_the_rewritten_question_is_read_for(scripted, strategy, said: str) -> None:
    reader = scripted(lines=[said, "Three months [1]."])
    answer = reader.answer(strategy, ASKED, Corpus.of(LEASE))
    assert [request.purpose for request in reader.requests] == ["standalone question", "answer"]
    assert [request.final for request in reader.requests] == [False, True]
    assert reader.prompt.endswith("Question: How long is the notice period?\nAnswer:")
    assert answer.notes == ("read as: How long is the notice period?",)
    assert answer.question == ASKED.id
    assert answer.citations[0].text == LEASE


@pytest.mark.parametrize("line", [Failure("timeout", "it took too long"), "  ", '""'])
def test_a_failed_rewriting_is_an_error(scripted, line) -> None:
    with pytest.raises(RequestFailed, match="follow-up"):
        scripted(lines=[line]).answer(Full(), ASKED, Corpus.of(LEASE))


def test_its_tokens_count_against_the_budget(scripted) -> None:
    reader = scripted(lines=["How long is the notice period?", "Three months [1]."])
    corpus = Corpus.of(LEASE)
    reader.answer(Full(max_output=50), ASKED, corpus)
    first, second = (reader.counter.render(request.messages) for request in reader.requests)
    said = reader.counter.count("How long is the notice period?")
    enough = first + said + second + 50
    for budget, fits in ((enough, True), (enough - 1, False)):
        again = scripted(lines=["How long is the notice period?", "Three months [1]."])
        asked = Question(ASKED.text, history=ASKED.history, budget=Budget(tokens=budget))
        if fits:
            assert again.answer(Full(max_output=50), asked, corpus).answerable
        else:
            with pytest.raises(BudgetSpent):
                again.answer(Full(max_output=50), asked, corpus)


def test_a_conversation_longer_than_the_window_is_refused(scripted) -> None:
    asked = Question("And?", history=(Turn("user", "words " * 900),))
    with pytest.raises(DoesNotFit):
        scripted(window=800).answer(Full(), asked, Corpus.of(LEASE))
