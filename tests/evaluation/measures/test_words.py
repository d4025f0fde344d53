"""Values computed by hand from the published rules."""

from __future__ import annotations

import pytest

from ragctx.evaluation.measures import words
from ragctx.evaluation.measures.normalising import chinese, chinese_words, squad


def test_squad_drops_ascii_marks_before_articles_and_nothing_else() -> None:
    assert squad("The U.S.A. -- an a-b") == "usa ab"  # punctuation goes first, so "a-b" is "ab" and no article
    assert squad("A's") == "as"
    assert squad("«the» … café") == "« » … café"  # marks of other scripts stay, as published


def test_chinese_marks_are_the_published_ones() -> None:
    assert (
        chinese("《保险公司》，（高安）。 A-b") == "《保险公司高安ab"
    )  # the opening mark is not on the published list
    assert chinese("三·个．月") == "三·个．月"
    assert chinese("“三”…个—月、‘四’！？｡") == "三个月四"


def test_chinese_words_take_any_segmenter() -> None:
    assert chinese_words("三个月。", lambda text: ["三个", "月", "。"]) == ["三个", "月"]


@pytest.mark.parametrize(
    ("prediction", "answers", "expected"),
    [
        ("the grey heron", ["heron", "Grey heron!"], 1.0),
        ("grey herons", ["grey heron"], 0.0),
        ("", ["heron"], 0.0),
    ],
)
def test_squad_exact(prediction: str, answers: list[str], expected: float) -> None:
    assert words.squad_exact(prediction, answers) == expected


def test_f1_counts_words_as_often_as_both_have_them() -> None:
    # ours: b b c (3), gold: b c c d (4), shared b + c = 2: 2 * 2 / 7
    assert words.longbench_f1("b b c", ["b c c d"]) == pytest.approx(4 / 7)
    assert words.squad_f1("b b c", ["x", "b c c d"]) == pytest.approx(4 / 7)


def test_empty_texts_are_equal_for_squad_2_and_share_nothing_for_longbench() -> None:
    assert words.squad_f1("the", ["a"]) == 1.0
    assert words.longbench_f1("the", ["a"]) == 0.0
    assert words.squad_f1("word", []) == 0.0


def test_chinese_f1_by_characters_and_by_words() -> None:
    # characters: 三个月 against 六个月: 2 of 3 shared; words 三个|月 against 六个|月: 1 of 2
    assert words.longbench_f1_chinese("三个月", ["六个月。"]) == pytest.approx(2 / 3)
    split = lambda text: [text[:2], text[2:]]  # noqa: E731
    assert words.longbench_f1_chinese("三个月", ["六个月"], split) == pytest.approx(1 / 2)


def test_helmet_contains_parts_of_words() -> None:
    assert words.helmet_contains("herons live here", ["the Heron"]) == 1.0
    assert words.helmet_contains("no bird", ["heron"]) == 0.0


def test_helmet_f1_is_strict_about_yes_and_no() -> None:
    assert words.helmet_f1("yes", ["Yes."]) == 1.0
    assert words.helmet_f1("no, three", ["no"]) == 0.0
    assert words.helmet_f1("three or four", ["three"]) == pytest.approx(0.5)
