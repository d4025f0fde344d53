"""Values computed by hand from the published rules."""

from __future__ import annotations

import pytest

from ragctx.evaluation.measures.keywords import EMPTY_WORDS, fact_recall, keyword_f1, keyword_f1_chinese


def test_the_published_number_of_empty_words() -> None:
    assert len(EMPTY_WORDS) == 38


def test_a_fifth_of_the_keywords_is_enough() -> None:
    # one of five keywords: 0.2, not below; F1: shared 1 of 2 and 5 words
    assert keyword_f1("grey sky", ["grey heron at weir seven"], "grey heron nest weir seven") == pytest.approx(2 / 7)
    assert keyword_f1("grey sky", ["grey heron"], "grey heron nest weir seven lock") == 0.0  # one of six


def test_empty_words_are_not_found_but_counted() -> None:
    # keywords "with", "of", "the" goes as an article: nothing but empty words is found
    assert keyword_f1("with of", ["with of"], "with of the heron") == 0.0
    assert keyword_f1("with of", ["with of"]) == 1.0


def test_chinese_needs_two_fifths_and_falls_back_on_the_answer() -> None:
    assert keyword_f1_chinese("三", ["三个月通知"]) == 0.0  # one of five
    assert keyword_f1_chinese("三个", ["三个月通知"]) == pytest.approx(2 * 2 / 7)  # two of five
    assert keyword_f1_chinese("三个", ["三个月通知"], empty=["个"]) == 0.0


def test_fact_recall() -> None:
    assert fact_recall("Orla of the weir", ["Orla Finch"]) == 0.5
    assert fact_recall("Orla", [""]) == 0.0
