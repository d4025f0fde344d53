"""Answers as data: schema in the request, checked, repaired once, then an error."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel

from ragctx.corpus import Corpus
from ragctx.errors import RequestFailed
from ragctx.strategies import Full, Retrieve
from ragctx.structured import parse, schema
from ragctx.types import Answer, Question


class Notice(BaseModel):
    months: int
    note: str | None = None


class Pet(BaseModel):
    kind: str
    allowed: bool


class Pets(BaseModel):
    pets: list[Pet]


class Maybe(BaseModel):
    months: int | None
    note: str | None = None


LEASE = "The notice period is three months. Cats are welcome."
ASKED = Question("What is the notice period?", answer_type=Notice)
each = pytest.mark.parametrize("strategy", [Full(), Retrieve(retriever="bm25")])


@each
def test_data(scripted, strategy) -> None:
    reader = scripted(lines=['```json\n{"months": 3}\n```'])
    answer = reader.answer(strategy, ASKED, Corpus.of(LEASE))
    assert answer.data == {"months": 3, "note": None}
    assert answer.text == "months: 3\nnote: none"
    assert answer.citations[0].text == "The notice period is three months."
    assert reader.requests[0].schema == schema(Notice)
    assert json.loads(schema(Notice))["title"] == "Notice"
    assert schema(Notice) in reader.prompt
    assert Answer.from_json(answer.to_json()) == answer


def test_data_is_repaired_once(scripted) -> None:
    reader = scripted(lines=['{"months": "some"}', '{"months": 3}'])
    answer = reader.answer(Full(), ASKED, Corpus.of(LEASE))
    assert answer.data == {"months": 3, "note": None}
    assert [request.purpose for request in reader.requests] == ["answer", "repair"]
    assert [message.role for message in reader.requests[1].messages] == ["system", "user", "assistant", "user"]
    assert "months: Input should be a valid integer" in reader.prompt
    assert reader.requests[1].messages[:2] == reader.requests[0].messages


def test_two_bad_replies_are_an_error(scripted) -> None:
    with pytest.raises(RequestFailed, match=r"do not follow Notice: .*months") as failed:
        scripted(lines=['{"months": "some"}']).answer(Full(), ASKED, Corpus.of(LEASE))
    assert failed.value.kind == "malformed"


@pytest.mark.parametrize("said", ["Not in the documents.", "The documents do not mention it."])
def test_a_refusal_needs_no_repair(scripted, said: str) -> None:
    reader = scripted(lines=[said])
    answer = reader.answer(Full(), ASKED, Corpus.of(LEASE))
    assert (answer.answerable, answer.data, len(reader.requests)) == (False, None, 1)


def test_nothing_but_nulls_is_a_refusal(scripted) -> None:
    asked = Question("What is the rent?", answer_type=Maybe)
    answer = scripted(lines=['{"months": null}']).answer(Full(), asked, Corpus.of(LEASE))
    assert not answer.answerable


def test_nested_data_reads_well(scripted) -> None:
    said = '{"pets": [{"kind": "Cats", "allowed": true}, {"kind": "dogs", "allowed": false}]}'
    asked = Question("Which pets are welcome?", answer_type=Pets)
    answer = scripted(lines=[said]).answer(Full(), asked, Corpus.of(LEASE))
    assert answer.text == "pets: kind: Cats, allowed: yes; kind: dogs, allowed: no"
    assert answer.citations[0].text == "Cats are welcome."


def test_the_estimate_includes_a_repair(scripted) -> None:
    reader = scripted(lines=['{"months": "some"}', '{"months": 3}'])
    corpus = Corpus.of(LEASE)
    estimate = Full(max_output=40).estimate(ASKED, corpus, reader.models)
    reader.answer(Full(max_output=40), ASKED, corpus)
    spent = sum(reader.counter.render(request.messages) for request in reader.requests)
    assert estimate.prompt.low <= spent <= estimate.prompt.high
    assert estimate.calls.high == 2


@pytest.mark.parametrize("reply", ["", "no json", "[1, 2", "{" * 5000, '{"months": 3', "null", "3"])
def test_odd_replies_are_problems_not_crashes(reply: str) -> None:
    assert parse(Notice, reply).problem
