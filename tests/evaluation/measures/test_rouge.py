from __future__ import annotations

import random

import pytest

from ragctx.evaluation.measures.rouge import rouge_l, rouge_l_summary

PIECES = ["a", "b", "c", "d", "e.", "f", ".", "g", "a.", "b"]


def test_longest_common_subsequence_by_hand() -> None:
    # common: "police kill gunman" has police, the, gunman: 3 of 4 and 4
    assert rouge_l("police ended the gunman", ["Police killed the gunman!"]) == pytest.approx(3 / 4)
    assert rouge_l("the gunman police killed", ["police killed the gunman"]) == pytest.approx(2 / 4)
    assert rouge_l("one", ["two", "one"]) == 1.0


def test_nothing_to_compare_scores_nothing() -> None:
    assert rouge_l("", ["x"]) == rouge_l("x", []) == rouge_l("三个月", ["三个月"]) == 0.0
    assert rouge_l_summary("...", ["x"]) == rouge_l_summary("x", [""]) == 0.0


def test_union_of_sentences_over_different_words_by_hand() -> None:
    # The example of Lin 2004: w1 w2 w3 w4 w5 against "w1 w2 w6 w7 w8" and "w1 w3 w8 w9 w5": w1 w2 w3 w5 of 5 are found,
    # and the candidate has 8 different words: 2 * (4/8) * (4/5) / (4/8 + 4/5)
    score = rouge_l_summary("w1 w2 w6 w7 w8. w1 w3 w8 w9 w5", ["w1 w2 w3 w4 w5"])
    assert score == pytest.approx(2 * 0.5 * 0.8 / 1.3, abs=1e-6)


def test_case_and_marks_count_in_the_summary_rule_only() -> None:
    assert rouge_l("Rent, due", ["rent due"]) == 1.0
    assert rouge_l_summary("Rent, due", ["rent due"]) == pytest.approx(0.5, abs=1e-6)


def _pairs(count: int) -> list[tuple[str, str]]:
    rng = random.Random(7)
    return [tuple(" ".join(rng.choices(PIECES, k=rng.randint(1, 30))) for _ in range(2)) for _ in range(count)]


def test_summary_rule_is_the_package_rouge() -> None:
    rouge = pytest.importorskip("rouge", reason="compares with the package rouge", exc_type=ImportError)

    for prediction, answer in _pairs(300):
        try:
            theirs = rouge.Rouge(metrics=["rouge-l"]).get_scores([prediction], [answer], avg=True)["rouge-l"]["f"]
        except ValueError:  # nothing but full stops
            theirs = 0.0
        assert rouge_l_summary(prediction, [answer]) == pytest.approx(theirs, abs=1e-12), (prediction, answer)


def test_plain_rule_is_the_package_rouge_score() -> None:
    rouge_scorer = pytest.importorskip(
        "rouge_score.rouge_scorer", reason="compares with rouge-score", exc_type=ImportError
    )

    scorer = rouge_scorer.RougeScorer(["rougeL"], use_stemmer=False)
    for prediction, answer in _pairs(300):
        theirs = scorer.score(answer, prediction)["rougeL"].fmeasure
        assert rouge_l(prediction, [answer]) == pytest.approx(theirs, abs=1e-12), (prediction, answer)
