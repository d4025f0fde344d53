from __future__ import annotations

import pytest

from ragctx.errors import InputError, UnknownName
from ragctx.evaluation.measures import METRICS, metric
from ragctx.types import Answer, Question

ASKED = Question(
    "How long?", answers=("three months",), metadata={"classes": "three months\nyears", "keywords": "three"}
)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_every_measure_scores_between_nothing_and_all(name: str) -> None:
    for text in ("three months", "", "Paragraph 3\nB", "\U0001f6a3 三个月 \x00"):
        assert 0 <= METRICS[name].of(Answer(text), ASKED) <= 1
    assert METRICS[name].source


@pytest.mark.parametrize("name", sorted(METRICS))
def test_failures_and_refusals_score_nothing_where_there_is_an_answer(name: str) -> None:
    assert METRICS[name].of(None, ASKED) == METRICS[name].of(Answer("three months", answerable=False), ASKED) == 0.0


@pytest.mark.parametrize("name", sorted(METRICS))
def test_where_nothing_answers_declining_is_right_and_failing_is_not(name: str) -> None:
    asked = Question("Who?", answerable=False)
    scores = [METRICS[name].of(answer, asked) for answer in (Answer("-", answerable=False), Answer("Orla"), None)]
    assert scores == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("name", sorted(METRICS))
def test_no_gold_is_an_error_that_names_the_question(name: str) -> None:
    with pytest.raises(InputError, match="question bare has no"):
        METRICS[name].of(Answer("x"), Question("Who?", id="bare"))


def test_classes_are_needed_for_naming_one() -> None:
    with pytest.raises(InputError, match="no classes"):
        metric("longbench-classification").must_judge(Question("Which?", answers=("Food",)))


def test_key_points_are_gold_for_the_rule_of_this_project() -> None:
    asked = Question("Sum up.", metadata={"must_mention": "two weirs"})
    assert metric("correct").of(Answer("There are two weirs."), asked) == 1.0


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="squad-f1"):
        metric("squadf1")
