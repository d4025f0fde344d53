"""Measures over bags of words: exact match, F1, and whether an answer occurs, as published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from ragctx.evaluation.measures.normalising import Segment, chinese_words, squad

_CLOSED: Final = frozenset({"yes", "no", "noanswer"})


def squad_exact(prediction: str, answers: Iterable[str]) -> float:
    """1 if the prediction is one of the answers by SQuAD's rule.

    Source: Rajpurkar et al. 2016, arXiv 1606.05250.

    Example:
        >>> squad_exact("The Heron.", ["heron"])
        1.0
    """
    ours = squad(prediction)
    return float(any(ours == squad(answer) for answer in answers))


def squad_f1(prediction: str, answers: Iterable[str]) -> float:
    """Best F1 of words over the answers; two empty texts are equal, as SQuAD 2 has it for "no answer".

    Source: Rajpurkar et al. 2018, arXiv 1806.03822.

    Example:
        >>> squad_f1("three calendar months", ["three months"])
        0.8
    """
    ours = squad(prediction).split()
    return max((_squad2(ours, squad(answer).split()) for answer in answers), default=0.0)


def longbench_f1(prediction: str, answers: Iterable[str]) -> float:
    """Best F1 of words over the answers; nothing in common is 0, empty texts included.

    Source: LongBench's question answering (Bai et al. 2023, arXiv 2308.14508).

    Example:
        >>> longbench_f1("", [""])
        0.0
    """
    ours = squad(prediction).split()
    return max((bag_f1(ours, squad(answer).split()) for answer in answers), default=0.0)


def longbench_f1_chinese(prediction: str, answers: Iterable[str], segment: Segment = list) -> float:
    """`longbench_f1` for Chinese; see `chinese_words` for what `segment` has to be to match the source.

    Example:
        >>> longbench_f1_chinese("三个月", ["三个月。"])
        1.0
    """
    ours = chinese_words(prediction, segment)
    return max((bag_f1(ours, chinese_words(answer, segment)) for answer in answers), default=0.0)


def helmet_contains(prediction: str, answers: Iterable[str]) -> float:
    """1 if one of the answers, normalised, is a part of the prediction, normalised; also of a longer word.

    Source: HELMET's substring exact match (Yen et al. 2024, arXiv 2410.02694).

    Example:
        >>> helmet_contains("It is the grey heron.", ["Grey Heron"]), helmet_contains("It costs 112.", ["12"])
        (1.0, 1.0)
    """
    ours = squad(prediction)
    return float(any(squad(answer) in ours for answer in answers))


def helmet_f1(prediction: str, answers: Iterable[str]) -> float:
    """Best F1 of words; 0 where one side is yes, no or noanswer and the other is not the same.

    Source: HELMET (arXiv 2410.02694), after HotpotQA's script (Yang et al. 2018, arXiv 1809.09600).

    Example:
        >>> helmet_f1("yes it is", ["yes"]), longbench_f1("yes it is", ["yes"])
        (0.0, 0.5)
    """
    ours = squad(prediction)
    return max((_closed_f1(ours, squad(answer)) for answer in answers), default=0.0)


def bag_f1(ours: Sequence[str], gold: Sequence[str]) -> float:
    """F1 of two bags of words; 0 where they share none.

    Example:
        >>> round(bag_f1(["a", "b", "b"], ["b", "c"]), 3)
        0.4
    """
    shared = (Counter(ours) & Counter(gold)).total()
    return 2 * shared / (len(ours) + len(gold)) if shared else 0.0


def _squad2(ours: Sequence[str], gold: Sequence[str]) -> float:
    return bag_f1(ours, gold) if ours and gold else float(ours == gold)


def _closed_f1(ours: str, gold: str) -> float:
    if ours != gold and (ours in _CLOSED or gold in _CLOSED):
        return 0.0
    return bag_f1(ours.split(), gold.split())
