"""The last answer of several calls: numbers across all prompts, evidence, coverage, data with one repair."""

from __future__ import annotations

import pytest
from pydantic import create_model

from ragctx.corpus import Corpus
from ragctx.errors import RequestFailed
from ragctx.models import ModelFacts
from ragctx.prompts import Prompt, shipped
from ragctx.strategies.concluding import concluded, last
from ragctx.strategies.purse import Purse
from ragctx.strategies.standalone import Asked
from ragctx.types import Dropped, Question, Span
from ragctx.work import Completion, Generate, run

ASKED = Asked(Question("What is the notice period?"), notes=("read as: What?",))


@pytest.fixture
def corpus() -> Corpus:
    texts = [f"Note {n}: the notice period of flat {n} is {n} weeks." for n in range(1, 1_301)]
    return Corpus.of(*texts)


def answer(said: str, corpus: Corpus, **options: object):
    passages = corpus.everything().passages
    return concluded(ASKED, Completion(said), passages, corpus, "chain", shipped(), ("a note",), **options)


def test_numbers_over_a_thousand_name_their_passage(corpus: Corpus) -> None:
    found = answer("The notice period of flat 1200 is 1200 weeks [1200].", corpus)
    assert found.text == "The notice period of flat 1200 is 1200 weeks."
    assert [c.source for c in found.citations] == ["text-1200"]
    assert found.notes[:2] == ("read as: What?", "a note")


def test_without_marks_the_evidence_is_searched(corpus: Corpus) -> None:
    found = answer("The notice period of flat 17 is 17 weeks.", corpus, evidence=[5, 17])
    assert [c.source for c in found.citations] == ["text-17"]


def test_a_mark_of_no_passage_is_no_citation(corpus: Corpus) -> None:
    found = answer("Flat 3 has three rooms [5000].", corpus, evidence=[3])
    assert all(c.source == "text-3" for c in found.citations)


def test_coverage_is_what_was_read_and_what_was_not_is_told(corpus: Corpus) -> None:
    span = Span("text-2", 0, 4)
    found = answer("Weeks [1].", corpus, read=[Span("text-1", 0, 5)], dropped=[Dropped(span, "failed")])
    assert [c.document for c in found.coverage if c.read] == ["text-1"]
    assert found.dropped == (Dropped(span, "failed"),)
    assert all(c.share == 1.0 for c in answer("Weeks [1].", corpus).coverage)


def test_a_refusal_is_recognised(corpus: Corpus) -> None:
    assert not answer("Not in the documents.", corpus).answerable


NOTICE = create_model("Notice", months=(int, ...))


def asked_for_data(*replies: str):
    question = Question("What is the notice period?", answer_type=NOTICE)
    prompt = Prompt(shipped(), "seed", "{}")
    request = Generate(prompt.messages((), question), schema="{}", final=True)
    lines = iter(replies)
    seen: list[Generate] = []

    def says(requests):
        seen.extend(requests)
        return [Completion(next(lines), 5, 5) for _ in requests]

    purse = Purse.of(question, ModelFacts("m"))
    return run(last(question, request, prompt, purse), says), seen, purse


def test_data_is_repaired_once() -> None:
    (_, data), seen, purse = asked_for_data("three", '{"months": 3}')
    assert data == {"data": {"months": 3}}
    assert [request.purpose for request in seen] == ["answer", "repair"]
    assert [request.final for request in seen] == [True, False]
    assert purse.made == 2


def test_data_that_stays_invalid_is_an_error() -> None:
    with pytest.raises(RequestFailed, match="two replies do not follow Notice"):
        asked_for_data("three", "still three")


def test_a_refusal_needs_no_repair() -> None:
    (completion, data), seen, _ = asked_for_data("Not in the documents.")
    assert completion.text == "Not in the documents."
    assert data == {"data": None}
    assert len(seen) == 1
