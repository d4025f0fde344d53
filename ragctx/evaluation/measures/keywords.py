"""LV-Eval's measures, which look for an answer's keywords before anything else counts.

Source: Yuan et al. 2024, arXiv 2402.05136.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from ragctx.evaluation.measures.normalising import Segment, chinese_words, squad
from ragctx.evaluation.measures.words import bag_f1

# The words that, by the source, are no keywords; as parameters of the measure they have to be these very ones.
_LISTED = """about and are as at be because being but by does for from had has have he her his in is it of on or she
that their they this to was were what when which who with"""
EMPTY_WORDS: Final = frozenset(_LISTED.split())
_ENOUGH: Final = 0.2
_ENOUGH_CHINESE: Final = 0.4


def keyword_f1(prediction: str, answers: Iterable[str], keywords: str = "") -> float:
    """Best F1 of words, or 0 where fewer than a fifth of the keywords' words are in the prediction.

    Words that are empty by the source's list find nothing, and count among the keywords all the same.

    Args:
        prediction: what the reader said.
        answers: the gold answers.
        keywords: what of the answer matters; plain F1 where empty.

    Example:
        >>> keyword_f1("the fee is 900", ["the fee is 900 crowns"], "900 crowns") > 0.8
        True
        >>> keyword_f1("the fee is high", ["the fee is 900 crowns"], "900 crowns")
        0.0
    """
    ours = squad(prediction).split()
    if keywords and keyword_recall(ours, squad(keywords).split(), EMPTY_WORDS) < _ENOUGH:
        return 0.0
    return max((bag_f1(ours, squad(answer).split()) for answer in answers), default=0.0)


def keyword_f1_chinese(
    prediction: str,
    answers: Sequence[str],
    keywords: str = "",
    segment: Segment = list,
    empty: Collection[str] = (),
) -> float:
    """`keyword_f1` for Chinese, where two fifths are wanted and the answer is its own keywords if none are given.

    Args:
        prediction: what the reader said.
        answers: the gold answers.
        keywords: what of the answer matters.
        segment: splits into words; the source's is `jieba.cut`.
        empty: words that are no keywords; the source has a list of its own for these sets.

    Example:
        >>> keyword_f1_chinese("三个月", ["三个月"])
        1.0
    """
    ours = chinese_words(prediction, segment)
    scores = [0.0]
    for answer in answers:
        gold = chinese_words(answer, segment)
        wanted = chinese_words(keywords, segment) if keywords else gold
        scores.append(bag_f1(ours, gold) if keyword_recall(ours, wanted, empty) >= _ENOUGH_CHINESE else 0.0)
    return max(scores)


def fact_recall(prediction: str, answers: Iterable[str]) -> float:
    """Best share of an answer's words that are in the prediction; of sets where a fact is asked for.

    Example:
        >>> fact_recall("It was Orla Finch, of Fenmark.", ["Orla Finch"])
        1.0
    """
    ours = squad(prediction).split()
    return max((keyword_recall(ours, squad(answer).split(), ()) for answer in answers), default=0.0)


def keyword_recall(ours: Sequence[str], wanted: Sequence[str], empty: Collection[str]) -> float:
    """Share of the wanted words that are found, those that are empty never being found."""
    shared = Counter(ours) & Counter(wanted)
    return sum(times for word, times in shared.items() if word not in empty) / len(wanted) if wanted else 0.0
