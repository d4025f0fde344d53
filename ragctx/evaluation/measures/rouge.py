"""ROUGE-L as two packages compute it: the one most papers name, and the one LongBench's figures come from.

Both go back to Lin 2004 (W04-1013) and differ by several points on the same pair, so a figure needs its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

_WORD = re.compile(r"[a-z0-9]+")
_NEVER_ZERO = 1e-8


def rouge_l(prediction: str, answers: Iterable[str]) -> float:
    """Best F1 of the longest common subsequence of words, each text taken as one sequence.

    Words are runs of ASCII letters and digits in lower case, without stemming, as the package `rouge-score` has them
    by default (L-Eval; HELMET stems besides). Text of other scripts has no words by this rule and scores 0.

    Example:
        >>> round(rouge_l("the keeper lit a lamp", ["The keeper lit the lamp."]), 3)
        0.8
    """
    ours = _WORD.findall(prediction.lower())
    return max((_f1(ours, _WORD.findall(answer.lower())) for answer in answers), default=0.0)


def rouge_l_summary(prediction: str, answers: Iterable[str]) -> float:
    """Best F1 over the union of longest common subsequences, sentence by sentence, over *different* words.

    The rule of the package `rouge` 1.0.1, which LongBench (arXiv 2308.14508) and LV-Eval call: sentences end at full
    stops, case and punctuation count, a word counts once however often it stands there. Where either text has no
    sentence the score is 0, as LongBench has it.

    Example:
        >>> round(rouge_l_summary("it rained. it rained again", ["it rained again."]), 3)
        1.0
    """
    ours = _sentences(prediction)
    return max((_summary(ours, _sentences(answer)) for answer in answers), default=0.0)


def _sentences(text: str) -> list[list[str]]:
    return [" ".join(piece.split()).split(" ") for piece in text.split(".") if piece]


def _summary(ours: list[list[str]], gold: list[list[str]]) -> float:
    if not ours or not gold:
        return 0.0
    shared: set[str] = set()
    for wanted in gold:
        for given in ours:
            shared |= _common_words(wanted, given)
    precision = len(shared) / len({word for sentence in ours for word in sentence})
    recall = len(shared) / len({word for sentence in gold for word in sentence})
    return 2 * precision * recall / (precision + recall + _NEVER_ZERO)


def _common_words(wanted: Sequence[str], given: Sequence[str]) -> set[str]:
    """The different words of the longest common subsequence; of several, the one the package walks back along."""
    table = _table(wanted, given)
    found: set[str] = set()
    i, j = len(wanted), len(given)
    while i and j:
        if wanted[i - 1] == given[j - 1]:
            found.add(wanted[i - 1])
            i, j = i - 1, j - 1
        elif table[i - 1, j] > table[i, j - 1]:
            i -= 1
        else:
            j -= 1
    return found


def _f1(ours: Sequence[str], gold: Sequence[str]) -> float:
    if not ours or not gold:
        return 0.0
    common = int(_table(gold, ours)[-1, -1])
    return 2 * common / (len(ours) + len(gold))


def _table(one: Sequence[str], other: Sequence[str]) -> np.ndarray:
    """Lengths of the longest common subsequences of every pair of beginnings, a row at a time."""
    numbers: dict[str, int] = {}
    right = np.array([numbers.setdefault(word, len(numbers)) for word in other], dtype=np.int64)
    table = np.zeros((len(one) + 1, len(other) + 1), dtype=np.int32)
    for i, word in enumerate(one, 1):
        # What a match adds to the diagonal, or the row above; whatever is left of a cell may only be larger.
        matched = np.where(right == numbers.get(word, -1), table[i - 1, :-1] + 1, table[i - 1, 1:])
        table[i, 1:] = np.maximum.accumulate(matched)
    return table
