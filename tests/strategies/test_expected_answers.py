"""The kind of answer that a question's first words ask for, and what cannot be one."""

from __future__ import annotations

import pytest

from ragctx.corpus import Corpus
from ragctx.models import ModelFacts, Models
from ragctx.strategies import Extract
from ragctx.strategies.answer_types import answer_type
from ragctx.types import Answer, Question
from ragctx.work import Relevances, Rerank, Stretch, run

MODELS = Models({"ranker": ModelFacts("reading", kinds=frozenset({"Rerank", "Prune", "Extract"}))})
TEXTS = ("The fast charger works at 5 to 35 degrees.", "The fast charger costs 149 crowns in all shops.")


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("What does the fast charger cost?", "an amount of money"),
        ("How much may a hotel room cost per night?", "an amount of money"),
        ("How much deposit did the tenant pay?", "a number"),
        ("And how many meetings were there?", "a number"),
        ("When was it built?", "a date or time"),
        ("From what year on?", "a date or time"),
        ("Who tows the trawler?", "a name"),
        ("When they met, what did she say?", None),
        ("What is the notice period?", None),
        ("Wie viel kostet das?", None),
        ("\u4ef7\u683c\u662f\u591a\u5c11\uff1f", None),
        ("", None),
    ],
)
def test_first_words_tell_the_kind(question: str, kind: str | None) -> None:
    found = answer_type(question)
    assert (found.name if found else None) == kind


@pytest.mark.parametrize(
    ("question", "can", "cannot"),
    [
        ("What does it cost?", ["149 crowns", "\u20ac 3.50", "ten crowns", "5 to 10 crowns", "free of charge", "1,200"],
         ["5 to 35 degrees", "20 \u00b0C", "the shop", "17 per cent", "3 years"]),
        ("How many are there?", ["11", "eleven", "none", "several", "a dozen"], ["in Garrow", "blue", "Ottilie Marsh"]),
        ("When did it end?", ["1 July 2031", "in May", "at night", "after the storm"], ["the Bakehouse", "blue"]),
        ("Who was it?", ["Marsh", "the old king", "IBM", "May Harker", "nobody knows"],
         ["1990", "4,650", "3.5 %", "1 July 2032", "two days"]),
    ],
)  # fmt: skip
def test_what_can_be_one(question: str, can: list[str], cannot: list[str]) -> None:
    kind = answer_type(question)
    assert kind is not None
    assert [text for text in (*can, *cannot) if kind.can_be(text)] == can


def read(question: str, keep: float = 0.0, **likely: float) -> Answer:
    def says(requests: list[Rerank]) -> list[Relevances]:
        return [reply(request) for request in requests]

    def reply(request: Rerank) -> Relevances:
        told = [(words.replace("_", " "), p) for words, p in likely.items()]
        answers = tuple(
            tuple(Stretch(at, at + len(words), p) for words, p in told if (at := text.find(words)) >= 0)
            for text in request.texts
        )
        keeps = tuple(tuple(keep for _ in units) for units in request.units)
        return Relevances((0.5,) * len(request.texts), keeps=keeps, answers=answers)

    return run(Extract().read(Question(question), Corpus.of(*TEXTS), MODELS), says)


def test_a_surer_answer_of_another_kind_is_left_aside_and_told() -> None:
    answer = read("What does the fast charger cost?", **{"5_to_35_degrees": 0.6, "149_crowns": 0.3})
    assert (answer.text, answer.confidence) == ("149 crowns", 0.3)
    assert "asked for an amount of money: '5 to 35 degrees' (0.60) cannot be one and was left aside" in answer.notes


def test_where_nothing_of_the_kind_is_said_it_declines() -> None:
    answer = read("Who built the charger?", **{"149": 0.6})
    assert not answer.answerable
    assert any("asked for a name: '149' (0.60)" in note for note in answer.notes)


def test_a_question_of_no_kind_takes_any_answer() -> None:
    assert read("Which range is the fast charger made for?", **{"5_to_35_degrees": 0.6}).text == "5 to 35 degrees"


def test_a_sentence_without_the_kind_does_not_stand_for_the_answer() -> None:
    answer = read("What does the fast charger cost?", keep=0.9)
    assert answer.text == TEXTS[1]
