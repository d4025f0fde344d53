"""What kind of answer a question asks for, as far as its first words tell, and whether words can be one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_COUNTS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred hundreds thousand thousands "
    "million millions billion billions"
)
_QUANTITIES = (
    "dozen dozens half quarter third once twice thrice couple pair single double several few many most all both none "
    "no nothing nobody neither never every each a an various multiple entire entirety whole free without"
)
_TIMES = (
    "january february march april may june july august september october november december jan feb mar apr jun jul aug "
    "sep sept oct nov dec monday tuesday wednesday thursday friday saturday sunday spring summer autumn fall winter "
    "morning noon afternoon evening night midnight dawn dusk sunrise sunset today tomorrow yesterday now then day days "
    "week weeks month months year years decade century centuries hour hours minute minutes season time times age era "
    "period ago after before during when while until till since as once whenever later earlier soon immediately always "
    "never already recently christmas easter birth death war end beginning start first last next"
)
_MONEY = "costs?|prices?|fees?|fares?|rents?|salary|salaries|wages?|earns?|earned|deposits?|bills?"
_OTHER_UNIT = (
    r"\s*(?:[\u00b0%]|degrees?\b|per ?cent\b|[kcm]?m\b|kg\b|g\b|km/h\b|kilomet\w+|met(?:re|er)s?\b|"
    r"kilograms?\b|grams?\b|lit(?:re|er)s?\b|seconds?\b|minutes?\b|hours?\b|days?\b|nights?\b|weeks?\b|months?\b|years?\b)"
)
_FREE = re.compile(r"\b(?:free|nothing|(?:no|without) (?:cost|charge|fee))\b", re.IGNORECASE)
_FIGURE = re.compile(r"\d[\d.,]*|\b(?:{})\b".format("|".join([*_COUNTS.split(), *_QUANTITIES.split()])), re.IGNORECASE)
_RANGE = r"(?:\s*(?:to|and|or|[-\u2013])\s*[-\u2212]?\d[\d.,]*)?"
_AMOUNT = re.compile(rf"(?<![\d.,])\d[\d.,]*(?![\d.,]|{_RANGE}{_OTHER_UNIT})", re.IGNORECASE)
_WORD_AMOUNT = re.compile(r"\b(?:{})\b(?!{})".format("|".join(_COUNTS.split()), _OTHER_UNIT), re.IGNORECASE)
_MOMENT = re.compile(r"\d|\b(?:{})\b".format("|".join(_TIMES.split())), re.IGNORECASE)
_COUNT = re.compile("|".join(_COUNTS.split()), re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class AnswerType:
    """A kind of answer.

    Attributes:
        name: in words, for notes: "an amount of money".
        asked: what a question that asks for it begins with or holds.
        can_be: whether words can be such an answer; where it doubts they can.
    """

    name: str
    asked: re.Pattern[str]
    can_be: Callable[[str], bool]


def answer_type(question: str) -> AnswerType | None:
    """The kind of answer that a question asks for; None where its words do not tell, as those of most do not.

    It reads the words that English questions open with. A question in another language, or one without such words,
    asks for nothing in particular, and every answer will do.

    Example:
        >>> cost = answer_type("What does the fast charger cost?")
        >>> cost.name, cost.can_be("149 crowns"), cost.can_be("5 to 35 degrees"), cost.can_be("the rear wheel")
        ('an amount of money', True, False, False)
        >>> answer_type("Which tug towed the trawler?") is None
        True
    """
    plain = " ".join(question.lower().split())
    return next((kind for kind in _KINDS if kind.asked.search(plain)), None)


def _has(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.search(text) is not None


def _is_name(text: str) -> bool:
    """Some word is left beside those of times and counts."""
    return any(not (_MOMENT.fullmatch(word) or _COUNT.fullmatch(word)) for word in _WORD.findall(text))


def _is_money(text: str) -> bool:
    return any(pattern.search(text) for pattern in (_AMOUNT, _WORD_AMOUNT, _FREE))


# The first that a question matches. Each is wide: to take a right answer for a wrong kind costs more than to let one
# of the wrong kind through, which its probability may still hold back.
_KINDS = (
    AnswerType(
        "an amount of money",
        re.compile(
            rf"^(?:and )?(?:how much (?:do|does|did|will|would|is|was|are|were|must|may|can)\b.*"
            rf"\b(?:{_MONEY}|pay|paid|charged?)\b"
            rf"|what (?:do|does|did|will|would)\b.*\b(?:cost|earn)\b"
            rf"|what (?:is|was|are|were) the (?:[\w-]+ ){{0,2}}(?:cost|price|fee|fare|rent|salary|deposit)\b)"
        ),
        _is_money,
    ),
    AnswerType(
        "a number",
        re.compile(r"^(?:and |in |on |for |at |by |to |from |of )?how (?:many|much|old|tall|deep|wide|heavy|high)\b"),
        _has(_FIGURE),
    ),
    AnswerType(
        "a date or time",
        re.compile(
            r"^(?:and )?(?:when\b(?!.*,)"  # "When they met, what did she say?" asks for no time
            r"|(?:in |on |by |since |from |until )?(?:what|which) (?:year|date|month|day|century)\b)"
        ),
        _has(_MOMENT),
    ),
    AnswerType("a name", re.compile(r"^(?:and )?(?:who|whose|whom|where)\b"), _is_name),
)
