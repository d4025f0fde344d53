"""Values computed by hand from the published rules."""

from __future__ import annotations

import pytest

from ragctx.evaluation.measures import tasks

CLASSES = ["Food", "Fast Food", "City", "Fast City"]


def test_a_named_part_of_the_right_class_does_not_count() -> None:
    assert tasks.classification("It is Fast Food.", ["Fast Food"], CLASSES) == 1.0
    assert tasks.classification("Fast Food or City", ["Fast Food"], CLASSES) == 0.5
    assert tasks.classification("City", ["Fast Food"], CLASSES) == 0.0


def test_the_class_after_a_removed_one_is_passed_over() -> None:
    # "Fast", "Foo" and "Fast Foods" are named; "Fast" goes, "Foo" is passed over and stays: two are left
    assert tasks.classification("Fast Foods", ["Fast Foods"], ["Fast", "Foo", "Fast Foods"]) == 0.5


@pytest.mark.parametrize(
    ("prediction", "expected"), [("7", 1.0), ("I count 7 of 9", 0.5), ("seven", 0.0), ("77", 0.0), ("7.0", 0.5)]
)
def test_count(prediction: str, expected: float) -> None:
    assert tasks.count(prediction, ["7"]) == expected


def test_retrieval_in_both_languages() -> None:
    assert tasks.retrieval("Paragraph 12", ["Paragraph 12"]) == 1.0
    assert tasks.retrieval("段落3，不是段落4", ["段落3"]) == 0.5
    assert tasks.retrieval("none", ["Paragraph 12"]) == tasks.retrieval("3", ["no number"]) == 0.0


def test_code_takes_the_first_line_that_is_code() -> None:
    # "ab" and "ac" share one character of four: 2 * 1 / 4
    assert tasks.code_similarity("\n# note\n// note\n```\nab\nxx", ["ac"]) == 0.5
    assert tasks.code_similarity("ab", ["ab"]) == 1.0
    assert tasks.code_similarity("# only a note", ["ab"]) == 0.0


@pytest.mark.parametrize(
    ("prediction", "answer", "expected"),
    [
        ("B", "B", 1.0),
        ("The answer: B.", "B", 1.0),
        ("Because it is C", "C", 0.0),  # the first capital from A to D is the B of "Because"
        ("none", "A", 1.0),  # the published fall-back is to guess A
        ("", "A", 0.0),
        ("D", "D. The fourth", 1.0),
    ],
)
def test_one_option(prediction: str, answer: str, expected: float) -> None:
    assert tasks.option(prediction, [answer]) == expected


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [("ACD", 1.0), ("DAC is right", 1.0), ("A. x C) y D z", 1.0), ("A C Question D.", 0.0), ("AC", 0.0), ("x", 0.0)],
)
def test_several_options(prediction: str, expected: float) -> None:
    assert tasks.options(prediction, ["ACD"]) == expected


def test_ruler() -> None:
    assert tasks.ruler_all("Orla, 41 and 7", ["orla", "41", "52", "63"]) == 0.5
    assert tasks.ruler_any("it is 41", ["52", "41"]) == 1.0
    assert tasks.ruler_all("x", []) == tasks.ruler_any("x", []) == 0.0


def test_first_line() -> None:
    assert tasks.first_line("\n\nFood\nbecause") == "Food"
