"""Solved questions with a right and a wrong answer, shown before a question like them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ragctx.agents.contrastive import ContrastiveDemonstrations
from ragctx.agents.solved import Solved, solved
from ragctx.corpus import Corpus
from ragctx.errors import BadQuestion, ConfigError
from ragctx.types import Question

ASKED = "How long is the notice period of the lease?"
SOLVED = (
    Solved("How long is the notice period of the office?", "six weeks [1]", "It depends on many things."),
    Solved("Who painted the door?", "Signe", "a painter"),
    Solved("How long is the guarantee?", "two years"),
    Solved("How long is the NOTICE period of the lease", "LEAKED", "leaked too"),
)


@pytest.fixture
def corpus() -> Corpus:
    return Corpus.of({"lease": "The notice period of the lease is three months.", "pets": "Pets are welcome."})


def test_shows_the_most_similar_with_good_and_bad_answers(corpus: Corpus, replying) -> None:
    reader = replying()
    answer = reader.answer(ContrastiveDemonstrations(SOLVED), ASKED, corpus)
    [request] = reader.requests
    prompt = request.messages[-1].content
    assert prompt.index("guarantee") < prompt.index("of the office") < prompt.index(f"Question: {ASKED}")
    assert "Good answer: six weeks [1]\nBad answer: It depends on many things." in prompt
    assert "Good answer: two years\nBad answer: six weeks [1]" in prompt, "another one's answer is wrong here"
    assert "painted" not in prompt
    assert "leaked" not in prompt.lower(), "the question itself would show its answer"
    assert answer.text == "The notice period is three months."
    assert [c.source for c in answer.citations] == ["lease"]


def test_without_contrast_and_without_any(corpus: Corpus, replying) -> None:
    reader = replying()
    reader.answer(ContrastiveDemonstrations(SOLVED, contrast=False, shots=1), ASKED, corpus)
    assert "Bad answer" not in reader.requests[0].messages[-1].content
    answer = replying().answer(ContrastiveDemonstrations(), ASKED, corpus)
    assert "no solved questions were given: read without any" in answer.notes


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "solved.jsonl"
    rows = [
        {"question": "When?", "answers": ["in May", "May"], "wrong": ["in June"], "kind": "x"},
        {"question": "Who?", "answerable": False, "answers": []},
    ]
    file.write_text("\n".join(map(json.dumps, rows)))
    assert solved(file) == (Solved("When?", "in May", "in June"), Solved("Who?", ""))
    assert ContrastiveDemonstrations(str(file)).examples == solved(file)
    file.write_text('{"question": "When?"}\n[]\n{"question": "A?", "answer": "b", "wrong": "B"}\n{')
    with pytest.raises(BadQuestion) as told:
        solved(file)
    assert all(f"line {n}" in str(told.value) for n in (1, 2, 3, 4))
    with pytest.raises(ConfigError, match="give a JSONL file"):
        solved(tmp_path / "none.jsonl")


def test_demonstrations_give_way_to_passages(corpus: Corpus, replying) -> None:
    long = tuple(Solved(f"How long is the notice period number {n}?", "word " * 300) for n in range(3))
    reader = replying(window=1_200)
    answer = reader.answer(ContrastiveDemonstrations(long, shots=3, max_output=64), ASKED, corpus)
    assert any("of 3 solved questions are shown: more do not fit" in note for note in answer.notes)
    assert "three months" in answer.text


def test_the_estimate_is_exact_where_all_is_read(corpus: Corpus, replying) -> None:
    reader = replying()
    guess = ContrastiveDemonstrations(SOLVED).estimate(Question(ASKED), corpus, reader.models)
    reader.answer(ContrastiveDemonstrations(SOLVED), ASKED, corpus)
    assert guess.exact
    assert guess.prompt.expected == reader.prompt_tokens


def test_wrong_options() -> None:
    with pytest.raises(ConfigError, match="shots is at least 0"):
        ContrastiveDemonstrations(shots=-1)
    with pytest.raises(BadQuestion, match="must be a Solved"):
        ContrastiveDemonstrations(("What?",))  # type: ignore[arg-type]
