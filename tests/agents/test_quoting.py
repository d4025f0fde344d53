"""Quote, then answer; and the gate that drops what no document holds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragctx.agents.quoting import SILENT, QuoteThenAnswer
from ragctx.agents.verbatim import Source
from ragctx.corpus import Corpus
from ragctx.errors import BudgetSpent, ConfigError
from ragctx.types import Budget, Question

LEASE = (
    "The notice period is three months. Rent is 900 crowns a month, due on the first day of each month. Pets are "
    "welcome, but the landlord wants to be told of them beforehand."
)
ASKED = "How long is the notice period?"


@pytest.mark.parametrize(
    ("quote", "found"),
    [
        ("The notice period is three months.", "The notice period is three months"),
        ("the  NOTICE period\nis three months", "The notice period is three months"),
        ('"Rent is 900 crowns a month, due on the first day of the month."', "Rent is 900 crowns a month"),
        ("Rent is 500 crowns a month, due on the first day of each month.", ""),
        ("The notice period is six weeks.", ""),
        ("ice period", ""),
        ("", ""),
        ("...", ""),
        ("crowns", "crowns"),
    ],
)
def test_the_gate(quote: str, found: str) -> None:
    match = Source(LEASE).find(quote)
    assert (LEASE[match.start : match.end] if match else "").startswith(found)
    assert bool(match) == bool(found)


def test_the_gate_reads_scripts_without_blanks() -> None:
    source = Source("通知期间为三个月。租金每月一号到期。")
    match = source.find("租金每月一号到期")
    assert match is not None
    assert source.text[match.start : match.end] == "租金每月一号到期"
    assert source.find("押金为两个月的租金和管理费") is None


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab c.12\n", max_size=60), st.integers(0, 60), st.integers(0, 60))
def test_every_whole_word_quote_is_found_and_every_match_is_in_the_text(text: str, start: int, end: int) -> None:
    match = Source(text).find(text)
    assert (match is not None) == any(character.isalnum() for character in text)
    part = Source(text).find(text[start:end])
    assert part is None or 0 <= part.start < part.end <= len(text)
    assert part is None or part.ratio >= 0.9


def test_answers_from_the_quotes_alone(replying) -> None:
    says = {
        "quote": "- Pets are allowed everywhere\n1. the notice period is three months",
        "answer": "Three months [1].",
    }
    reader = replying(says=says)
    answer = reader.answer(QuoteThenAnswer(), ASKED, Corpus.of({"lease": LEASE, "notes": "It rained."}))
    second = reader.asked("answer")[0].messages[-1].content
    assert "The notice period is three months." in second
    assert "Rent" not in second
    assert answer.text == "Three months."
    assert [c.text for c in answer.citations] == ["The notice period is three months."]
    assert "1 of 2 quotes (50 %) stand nowhere in the documents" in answer.notes
    assert [one.share for one in answer.coverage] == [1.0, 1.0], "the first call read it all"


@pytest.mark.parametrize("said", ["none", "The notice period is four weeks, as is usual.", "", "[1]"])
def test_nothing_left_is_not_in_the_documents(said: str, replying) -> None:
    reader = replying(says={"quote": said})
    answer = reader.answer(QuoteThenAnswer(), ASKED, Corpus.of(LEASE))
    assert not answer.answerable
    assert not answer.citations
    assert [request.purpose for request in reader.requests] == ["quote"], "no second call is paid for"
    assert any("1 of 1 quotes (100 %)" in note for note in answer.notes) == ("four weeks" in said)


def test_a_quote_with_a_gap_is_two(replying) -> None:
    reader = replying(says={"quote": "The notice period ... due on the first day of each month"})
    reader.answer(QuoteThenAnswer(), ASKED, Corpus.of(LEASE))
    shown = reader.asked("answer")[0].messages[-1].content
    assert "three months" in shown
    assert "900 crowns" in shown
    assert "Pets" not in shown


def test_quotes_stand_for_the_answer_where_the_budget_ends() -> None:
    from ragctx.models import ModelFacts, Models
    from ragctx.work import Completion

    def replies(requests):
        if requests[0].purpose == "quote":
            return [Completion("The notice period is three months.")]
        raise AssertionError("never asked")

    work = QuoteThenAnswer().read(Question(ASKED), Corpus.of(LEASE), Models({"reader": ModelFacts("m")}))
    first = next(work)
    work.send(replies(first))
    with pytest.raises(StopIteration) as done:
        work.throw(BudgetSpent("money", 2, 1))
    assert done.value.value.text == "The notice period is three months."
    assert any("budget was spent" in note for note in done.value.value.notes)


def test_refuses_before_the_first_call(replying) -> None:
    for budget in (Budget(calls=1), Budget(tokens=500)):
        reader = replying()
        with pytest.raises(BudgetSpent):
            reader.answer(QuoteThenAnswer(), Question(ASKED, budget=budget), Corpus.of(LEASE))
        assert not reader.requests


def test_data(replying) -> None:
    from pydantic import BaseModel

    class Notice(BaseModel):
        months: int

    answer = replying().answer(QuoteThenAnswer(), Question(ASKED, answer_type=Notice), Corpus.of(LEASE))
    assert answer.data == {"months": 3}


def test_wrong_options() -> None:
    with pytest.raises(ConfigError, match="needs room"):
        QuoteThenAnswer(quotes=0)


@pytest.mark.parametrize("said", ["none", '{"items": []}', ""])
def test_a_model_that_quotes_nothing_is_told(said: str, replying) -> None:
    answer = replying(says={"quote": said}).answer(QuoteThenAnswer(), ASKED, Corpus.of(LEASE))
    assert not answer.answerable
    assert any("quoted nothing" in note for note in answer.notes)


def test_a_figure_alone_is_no_quote(replying) -> None:
    reader = replying(says={"quote": "900"})
    answer = reader.answer(QuoteThenAnswer(), ASKED, Corpus.of(LEASE))
    assert not answer.answerable
    assert SILENT in answer.notes
    assert not reader.asked("answer")
