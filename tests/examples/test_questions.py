"""The gold answers are in the documents: what a question rests on is looked up, counts are counted again."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from ragctx.corpus import Corpus
from ragctx.evaluation import contains, correct, key_points
from ragctx.questions import Questions
from ragctx.types import Answer, Question

KINDS = ("single fact", "multi-part", "comparison", "count", "summary", "unanswerable")
WORKED_OUT = {"1,250"}  # a difference: neither offer names it


@pytest.fixture(scope="module")
def questions(folder: Path) -> Questions:
    return Questions.read(folder / "questions.jsonl")


@pytest.fixture(scope="module")
def holdout(folder: Path) -> Questions:
    return Questions.read(folder / "holdout.jsonl")


def sources(question: Question, texts: Mapping[str, str]) -> str:
    return " ".join(texts[name] for name in str(question.metadata["document"]).split())


def test_four_of_each_kind_and_thirty_of_two_held_out(questions: Questions, holdout: Questions) -> None:
    assert Counter(question.kind for question in questions) == dict.fromkeys(KINDS, 4)
    assert Counter(question.kind for question in holdout) == {"single fact": 30, "unanswerable": 30}
    asked = [question.text.casefold() for question in (*questions, *holdout)]
    assert len(set(asked)) == len({question.id for question in (*questions, *holdout)}) == 84


def test_gold_and_label_agree(questions: Questions, holdout: Questions) -> None:
    for question in (*questions, *holdout):
        assert question.answerable is (question.kind != "unanswerable")
        assert bool(question.answers) is question.answerable


def test_every_single_fact_is_in_its_document(
    questions: Questions, holdout: Questions, texts: Mapping[str, str]
) -> None:
    facts = [question for question in (*questions, *holdout) if question.kind == "single fact"]
    missing = [question.id for question in facts if not contains(sources(question, texts), question.answers)]
    assert missing == []


def test_every_key_point_is_in_its_document(questions: Questions, texts: Mapping[str, str]) -> None:
    for question in questions:
        for point in key_points(question):
            assert WORKED_OUT & set(point) or contains(sources(question, texts), point), (question.id, point)


def test_every_gold_answer_is_scored_correct_and_a_refusal_is_not(questions: Questions, holdout: Questions) -> None:
    for question in (*questions, *holdout):
        assert all(correct(Answer(text), question).correct for text in question.answers), question.id
        declined = Answer("The documents do not say.", answerable=False)
        assert correct(declined, question).correct is not question.answerable


def test_counts_are_counted_again(questions: Questions, folder: Path, texts: Mapping[str, str]) -> None:
    documents = folder / "documents"
    with (documents / "parts-and-prices.csv").open(encoding="utf-8", newline="") as table:
        garrow = sum(row["warehouse"] == "Garrow" for row in csv.DictReader(table))
    meetings = len(re.findall(r"^\w+ MEETING,", texts["minutes-tessel-library.txt"], re.MULTILINE))
    carbon = " ".join(texts["travel-policy.md"].partition("yearly carbon allowance")[2].partition("What an")[0].split())
    tonnes = sum(map(int, re.findall(r"(\d+)(?: tonnes|\.)", carbon)))
    log = texts["station-log-skerrow.txt"]
    told = re.findall(r"[^.;]*Marigold (\w+ \w+)", log.partition("Thursday 1 March")[2])
    landed = [words for words in told if words != "could not"]
    counted = [meetings, garrow, tonnes, len(landed)]
    counts = [question for question in questions if question.kind == "count"]
    assert counted == [3, 11, 48, 6]
    for question, number in zip(counts, counted, strict=True):
        assert any(answer.startswith(str(number)) for answer in question.answers)


def test_filters_match_documents_and_what_they_leave_fits_the_window(questions: Questions, corpus: Corpus) -> None:
    filtered = [question for question in questions if question.where is not None]
    assert {question.kind for question in filtered} >= {"comparison", "summary", "count"}
    for question in filtered:
        assert question.where is not None
        names = {document.id.partition("#")[0] for document in corpus.documents if question.where.admits(document)}
        assert names == set(str(question.metadata["document"]).split())
        assert 0 < corpus.select(question.where).characters < 4 * 8192 / 1.5


def test_one_question_follows_an_earlier_turn(questions: Questions) -> None:
    [follow_up] = [question for question in questions if question.history]
    assert [turn.speaker for turn in follow_up.history] == ["user", "assistant"]
    assert "Alder Yard" not in follow_up.text


def test_each_line_is_an_object_with_the_documented_fields(folder: Path) -> None:
    known = {"id", "question", "answers", "kind", "answerable", "where", "history", "metadata"}
    for name in ("questions.jsonl", "holdout.jsonl"):
        for line in (folder / name).read_text(encoding="utf-8").splitlines():
            assert json.loads(line).keys() <= known
