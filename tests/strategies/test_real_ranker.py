"""Sorting and pruning by the reading model that comes with ragctx."""

from __future__ import annotations

import pytest

from ragctx.corpus import Chunking, Corpus
from ragctx.encoders.extractive import open_ranker
from ragctx.strategies import Retrieve
from ragctx.types import Question

QUESTIONS = ("When does the gate open?", "Who built house 12?", "Are pets welcome?", "?", "a" * 3000)


@pytest.fixture(scope="module")
def real():
    ranker = open_ranker(threads=1)
    yield ranker
    ranker.close()


@pytest.fixture
def corpus() -> Corpus:
    facts = [f"House {n} was built in {1500 + n} by mason {n % 17}. Its garden has {n} trees." for n in range(60)]
    facts[44] = "The gate opens at nine. It was painted grey in June. Visitors like its colour."
    return Corpus.of({"houses": "\n\n".join(facts)}, chunking=Chunking(words=40))


@pytest.mark.parametrize("asked", QUESTIONS)
def test_one_request_and_a_plan_that_holds(scripted, real, corpus: Corpus, asked: str) -> None:
    readers = [scripted(lines=["At nine [1]."], ranker=real) for _ in range(2)]
    strategy = Retrieve(retriever="bm25", candidates=12)
    estimate = strategy.estimate(Question(asked), corpus, readers[0].models)
    answers = [reader.answer(strategy, asked, corpus) for reader in readers]
    assert answers[0] == answers[1]
    assert readers[0].requests == readers[1].requests
    assert len(readers[0].ranked) == 1, "one pass sorts and prunes"
    assert estimate.prompt.low <= readers[0].prompt_tokens <= estimate.prompt.high
    [ranking] = [line for line in estimate.lines if line.role == "ranker"]
    assert readers[0].ranked_tokens <= ranking.prompt.high
    assert not readers[0].ranked_tokens or ranking.prompt.low <= readers[0].ranked_tokens
    for dropped in answers[0].dropped:
        assert corpus.text(dropped.span)
    for citation in answers[0].citations:
        assert corpus.text(citation.span) == citation.text


def test_a_question_that_it_cannot_read_leaves_what_was_found(scripted, real, corpus: Corpus) -> None:
    reader = scripted(ranker=real)
    answer = reader.answer(Retrieve(retriever="bm25"), "\x00\u202e", corpus)
    assert any("the ranker failed" in note and "ask in words" in note for note in answer.notes)
