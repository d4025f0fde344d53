"""Measures of answers: exact match, token F1, containment and abstention.

Texts are normalised by the published SQuAD rules (Rajpurkar et al. 2016, arXiv 1606.05250): lower case, no
punctuation, no English articles, single spaces. Chinese and Japanese text has no spaces between words, so there every
character is a token (as in CMRC 2018, arXiv 1810.07366).
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_DECIMAL = re.compile(r"(?<=\d)\.(?=\d)")
_POINT = "\ue000"  # a private-use character: stands for a decimal point while punctuation is dropped
_WIDE = re.compile(r"([\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")


def normalise(text: str) -> str:
    """The text as SQuAD compares it; punctuation of every script is dropped, not only ASCII's.

    Example:
        >>> normalise("The  Harbour-master's fee, paid!")
        'harbourmasters fee paid'
    """
    kept = "".join(character for character in text.lower() if not _is_punctuation(character))
    return " ".join(_ARTICLES.sub(" ", kept).split())


def tokens(text: str) -> list[str]:
    """Words of the normalised text; every Chinese or Japanese character is a word of its own.

    Example:
        >>> tokens("通知期 is three months")
        ['通', '知', '期', 'is', 'three', 'months']
    """
    return _WIDE.sub(r" \1 ", normalise(text)).split()


def exact_match(prediction: str, answers: Iterable[str]) -> bool:
    """Whether the prediction equals one of the answers once both are normalised.

    Example:
        >>> exact_match("The Heron.", ["heron", "grey heron"])
        True
    """
    wanted = normalise(prediction)
    return any(wanted == normalise(answer) for answer in answers)


def token_f1(prediction: str, answers: Iterable[str]) -> float:
    """The best token F1 against any of the answers, 0 to 1; 0 where there are no answers.

    Example:
        >>> round(token_f1("three calendar months", ["three months", "a quarter"]), 2)
        0.8
    """
    return max((_f1(prediction, answer) for answer in answers), default=0.0)


def contains(prediction: str, answers: Iterable[str]) -> bool:
    """Whether whole words of the prediction, side by side, are one of the answers.

    Stricter than a substring ("12" is not in "112") and, unlike SQuAD's rule, it keeps decimal points, so that 3.5 is
    not 35; commas between thousands do not matter.

    Example:
        >>> contains("It costs 1,250.50 marks.", ["1250.50"]), contains("It costs 112 marks.", ["12"])
        (True, False)
    """
    held = _number_tokens(prediction)
    return any(_holds(held, _number_tokens(answer)) for answer in answers)


def covers(prediction: str, answers: Iterable[str]) -> bool:
    """Whether every word of one of the answers occurs in the prediction, in any order; numbers as in `contains`.

    Example:
        >>> covers("Marsh, Ottilie", ["Ottilie Marsh"]), covers("within six hours", ["within three hours"])
        (True, False)
    """
    held = set(_number_tokens(prediction))
    wanted = (set(_number_tokens(answer)) for answer in answers)
    return any(words and words <= held for words in wanted)


@dataclass(frozen=True, slots=True)
class Abstention:
    """How refusals matched what could be answered; counts of questions.

    Attributes:
        correct: declined, and nothing in the documents answers. false: declined, though an answer is there.
        missed: answered, though no answer is there. answered: answered, and an answer is there.

    Example:
        >>> Abstention(correct=3, false=1, missed=1, answered=5).precision
        0.75
    """

    correct: int = 0
    false: int = 0
    missed: int = 0
    answered: int = 0

    @property
    def precision(self) -> float:
        """Share of refusals that were right; 0 where nothing was declined."""
        return _share(self.correct, self.correct + self.false)

    @property
    def recall(self) -> float:
        """Share of unanswerable questions that were declined; 0 where there are none."""
        return _share(self.correct, self.correct + self.missed)

    @property
    def accuracy(self) -> float:
        """Share of questions where declining or answering was the right choice."""
        return _share(self.correct + self.answered, self.correct + self.false + self.missed + self.answered)


def abstention(declined: Sequence[bool], answerable: Sequence[bool]) -> Abstention:
    """Counts refusals against what could be answered.

    Args:
        declined: for each question, whether the system declined.
        answerable: for each question, the gold label.

    Raises:
        ValueError: the two differ in length.

    Example:
        >>> abstention([True, True, False, False], [False, True, False, True])
        Abstention(correct=1, false=1, missed=1, answered=1)
    """
    seen = Counter(zip(declined, answerable, strict=True))
    return Abstention(seen[True, False], seen[True, True], seen[False, False], seen[False, True])


def _f1(prediction: str, answer: str) -> float:
    ours, gold = tokens(prediction), tokens(answer)
    if not ours or not gold:
        return float(ours == gold)
    shared = (Counter(ours) & Counter(gold)).total()
    return 2 * shared / (len(ours) + len(gold))


def _number_tokens(text: str) -> list[str]:
    return [word.replace(_POINT, ".") for word in tokens(_DECIMAL.sub(_POINT, _THOUSANDS.sub("", text)))]


def _holds(words: list[str], wanted: list[str]) -> bool:
    size = len(wanted)
    return size > 0 and any(words[i : i + size] == wanted for i in range(len(words) - size + 1))


def _is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
