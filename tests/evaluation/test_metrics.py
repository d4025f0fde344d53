from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragctx.evaluation import abstention, contains, covers, exact_match, normalise, token_f1, tokens

words = st.text(alphabet="ab cde.,A1 漢字", max_size=30)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Harbour-master's Fee!", "harbourmasters fee"),
        ("a theatre  in\tan atlas", "theatre in atlas"),
        ("$1,250.50", "125050"),  # SQuAD's rule drops the point; contains() does not
        ("“Quoted” — text…", "quoted text"),
        ("", ""),
        ("the", ""),
    ],
)
def test_normalise_follows_the_published_rules(text: str, expected: str) -> None:
    assert normalise(text) == expected


def test_tokens_split_chinese_and_japanese_by_character() -> None:
    assert tokens("通知期是3个月。") == ["通", "知", "期", "是", "3", "个", "月"]
    assert tokens("東京タワー is tall") == ["東", "京", "タ", "ワ", "ー", "is", "tall"]


@pytest.mark.parametrize(
    ("prediction", "answers", "f1"),
    [
        ("the cat sat", ["cat sat down"], 0.8),  # shared 2; precision 2/2, recall 2/3
        ("the cat sat", ["dog", "cat"], 2 / 3),  # best of several: shared 1; 1/2 and 1/1
        ("red red red", ["red"], 0.5),  # a repeated word counts once
        ("cat", ["dog"], 0.0),
        ("", ["dog"], 0.0),
        ("the", ["a"], 1.0),  # both empty once normalised
        ("anything", [], 0.0),
        ("三个月", ["三个月内"], 6 / 7),  # by characters
    ],
)
def test_f1_by_hand(prediction: str, answers: list[str], f1: float) -> None:
    assert token_f1(prediction, answers) == pytest.approx(f1)


@given(words, words)
def test_f1_is_symmetric_and_between_zero_and_one(one: str, other: str) -> None:
    value = token_f1(one, [other])
    assert 0.0 <= value <= 1.0
    assert value == pytest.approx(token_f1(other, [one]))
    assert token_f1(one, [one]) == 1.0


@given(words, words)
def test_exact_match_means_f1_of_one(one: str, other: str) -> None:
    if exact_match(one, [other]):
        assert token_f1(one, [other]) == 1.0


@pytest.mark.parametrize(
    ("prediction", "answer", "held"),
    [
        ("It is 112 marks", "12", False),
        ("It is 12 marks", "12", True),
        ("It is 3.5 bar.", "3.5", True),
        ("It is 35 bar.", "3.5", False),
        ("It is 3.5 bar.", "3", False),
        ("It is 1,250 marks", "1250", True),
        ("1,2 and 3", "12", True),  # as SQuAD: a comma that does not separate thousands is dropped
        ("The Heron, of course", "heron of course", True),
        ("Heron and of course", "heron of course", False),
        ("Anything", "", False),
        ("通知期是三个月", "三个月", True),
        ("ends with 2031.", "2031", True),
    ],
)
def test_contains_wants_whole_words_and_keeps_decimals(prediction: str, answer: str, held: bool) -> None:
    assert contains(prediction, [answer]) is held


@pytest.mark.parametrize(
    ("prediction", "answer", "covered"),
    [
        ("Marsh, Ottilie", "Ottilie Marsh", True),
        ("3.5 bar", "35 bar", False),
        ("anything", "", False),
        ("", "a b", False),
    ],
)
def test_covers_wants_every_word_in_any_order(prediction: str, answer: str, covered: bool) -> None:
    assert covers(prediction, [answer]) is covered


@given(words, words, words)
def test_a_text_contains_its_own_middle(before: str, middle: str, after: str) -> None:
    if tokens(middle) and not any(character.isdigit() for character in before + after):
        assert contains(f"{before} {middle} {after}", [middle])


def test_abstention_counts_and_rates() -> None:
    counts = abstention([True, True, True, False, False, False], [False, False, True, False, True, True])
    assert (counts.correct, counts.false, counts.missed, counts.answered) == (2, 1, 1, 2)
    assert counts.precision == pytest.approx(2 / 3)
    assert counts.recall == pytest.approx(2 / 3)
    assert counts.accuracy == pytest.approx(4 / 6)


def test_abstention_of_nothing_is_zero_and_lengths_must_agree() -> None:
    assert abstention([], []).precision == abstention([], []).recall == abstention([], []).accuracy == 0.0
    with pytest.raises(ValueError, match="shorter"):
        abstention([True], [])
