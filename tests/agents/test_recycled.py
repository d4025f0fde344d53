"""Demonstrations made from the context itself."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from ragctx.agents.recycled import RecycledDemonstrations
from ragctx.agents.recycling import paragraphs, taken_apart
from ragctx.corpus import Corpus
from ragctx.errors import BudgetSpent, ConfigError
from ragctx.types import Budget, Question
from ragctx.work import Failure, Generate

ASKED = "How long is the notice period?"
TEXTS = {
    "lease": "The notice period is three months.",
    "rent": "Rent is due on the first day of May of every single year, and is paid to the landlord's bank at Garrow.",
    "pets": "Pets are welcome in the house and in the garden, but the landlord wants to be told of them beforehand.",
    "keys": "Two keys are handed out to the tenant on the first day, and both are given back at the end.",
}


def pairs(request: Generate) -> str:
    text = request.messages[-1].content
    if "Rent is due" in text:
        return "When is rent due?\nAnswer: on the first day of May"
    if "Pets" in text:
        return "Question: Are pets welcome?\nAnswer: They are welcome"
    return "How many keys are there?\nAnswer: seventeen of bronze"


def test_shows_pairs_of_the_same_context_in_document_order(replying) -> None:
    reader = replying(says={"recycle": pairs, "answer": "[1]\nAnswer: Three months."})
    answer = reader.answer(RecycledDemonstrations(), ASKED, Corpus.of(TEXTS))
    prompt = reader.asked("answer")[0].messages[-1].content
    first = "Question: When is rent due?\nText: [2]\nAnswer: on the first day of May"
    second = "Question: Are pets welcome?\nText: [3]\nAnswer: They are welcome"
    assert 0 < prompt.index("Two keys") < prompt.index(first) < prompt.index(second) < prompt.index(ASKED)
    assert prompt.count("Rent is due") == 1, "the context stands once"
    assert "bronze" not in prompt, "its paragraph does not hold that answer"
    assert answer.text == "Three months."
    assert [c.source for c in answer.citations] == ["lease"]
    assert "2 of 3 demonstrations are shown: the others could not be made or ask the same" in answer.notes


def test_the_small_calls_hang_on_the_documents_alone(replying) -> None:
    first, second = replying(says={"recycle": pairs}), replying(says={"recycle": pairs})
    corpus = Corpus.of(TEXTS)
    first.answer(RecycledDemonstrations(), ASKED, corpus)
    second.answer(RecycledDemonstrations(), "Who pays for the roof?", corpus)
    assert first.asked("recycle") == second.asked("recycle")
    assert len(first.batches[0]) == 3, "all at once"
    assert paragraphs(corpus, 2, seed=0) != paragraphs(corpus, 2, seed=5)


def test_a_pair_that_asks_the_same_is_not_shown(replying) -> None:
    reader = replying(says={"recycle": pairs})
    reader.answer(RecycledDemonstrations(), "When is rent due?", Corpus.of(TEXTS))
    assert reader.asked("answer")[0].messages[-1].content.count("When is rent due?") == 1


def test_reads_on_where_no_pair_can_be_made(replying) -> None:
    for says in ("I cannot.", lambda request: Failure("timeout", "it took too long"), ""):
        reader = replying(says={"recycle": says})
        answer = reader.answer(RecycledDemonstrations(), ASKED, Corpus.of(TEXTS))
        assert "three months" in answer.text
        assert any(note.startswith("0 of 3 demonstrations are shown") for note in answer.notes)


@pytest.mark.parametrize(
    ("reply", "text", "evidence"),
    [
        ("[3]\nAnswer: Yes.", "Yes.", (3,)),
        ("[1, 2] Answer: Yes.", "Yes.", (1, 2)),
        ("[2]\nThey are.", "They are.", (2,)),
        ("They are [2].", "They are [2].", ()),
        ("Answer: They are [2].", "They are [2].", ()),
        ("[4]", "[4]", ()),
        ("", "", ()),
    ],
)
def test_number_and_answer_are_taken_apart(reply: str, text: str, evidence: tuple[int, ...]) -> None:
    assert taken_apart(reply) == (text, evidence)


def test_long_documents_are_searched(replying) -> None:
    many = {**TEXTS, **{f"filler {n}": f"Clause {n} is about matter {n % 7}. " * 12 for n in range(200)}}
    reader = replying(window=4_000)
    answer = reader.answer(RecycledDemonstrations(retriever="bm25"), ASKED, Corpus.of(many))
    assert "three months" in answer.text
    assert [c.source for c in answer.citations] == ["lease"]


def test_limits_and_options(replying) -> None:
    for budget in (Budget(calls=3), Budget(tokens=300)):
        reader = replying()
        with pytest.raises(BudgetSpent):
            reader.answer(RecycledDemonstrations(), Question(ASKED, budget=budget), Corpus.of(TEXTS))
        assert not reader.requests

    class Notice(BaseModel):
        months: int

    with pytest.raises(ConfigError, match="answers in words"):
        replying().answer(RecycledDemonstrations(), Question(ASKED, answer_type=Notice), Corpus.of(TEXTS))
    with pytest.raises(ConfigError, match="shots is at least 0"):
        RecycledDemonstrations(shots=-1)


def test_the_estimate_is_near(replying) -> None:
    reader, corpus = replying(says={"recycle": pairs}), Corpus.of(TEXTS)
    guess = RecycledDemonstrations().estimate(Question(ASKED), corpus, reader.models)
    reader.answer(RecycledDemonstrations(), ASKED, corpus)
    assert abs(guess.prompt.expected - reader.prompt_tokens) <= 0.1 * reader.prompt_tokens
    assert guess.prompt.low <= reader.prompt_tokens <= guess.prompt.high
    assert guess.calls.expected == len(reader.requests)
