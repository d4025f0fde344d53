"""Content words: what two texts must share for one to carry the other."""

from __future__ import annotations

import re
from itertools import pairwise

_WIDE = "\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORDS = re.compile(rf"\d+(?:[.,]\d+)*|[{_WIDE}]+|[^\W\d_{_WIDE}]+(?:['\u2019][^\W\d_]+)?|\w", re.UNICODE)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_EMPTY = _set(
    "a about after all also although am an and any are as at be because been before being between both but by can "
    "could did do does during each either for from had has have he her here him his how however i if in into is it "
    "its itself may me might must my no not of on one only or other our out over own per shall she should since so "
    "some such than that the their them then there therefore these they this those through to under until up upon "
    "us was we were what when where whether which while who whom whose why will with within would yes you your "
    "according answer document documents passage passages stated states says text "
)
# The wide scripts' commonest particles, copulas and question words; they carry no content either.
_EMPTY_WIDE = _set("的 了 是 在 和 有 は が を に の で と も です ます した する 은 는 이 가 을 를 의")
# Models turn figures into words and back.
_FIGURES = {
    "zero": "0", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
    "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "fifteen": "15", "twenty": "20", "thirty": "30",
    "forty": "40", "fifty": "50", "sixty": "60", "ninety": "90",
}  # fmt: skip
_WRITTEN = {figure: word for word, figure in _FIGURES.items()}


def content(text: str) -> frozenset[str]:
    """The words of a text that say something: lower case, plurals folded, numbers without their commas.

    Scripts without spaces give overlapping pairs of characters, a lone character stands for itself.

    Example:
        >>> sorted(content("The fees are 1,200 euros."))
        ['1200', 'euro', 'fee']
        >>> sorted(content("通知期间为三个月")) == sorted(["通知", "知期", "期间", "间为", "为三", "三个", "个月"])
        True
    """
    return frozenset(content_words(text))


def content_words(text: str) -> tuple[str, ...]:
    """The same words in their order, each as often as it stands there.

    Example:
        >>> content_words("Fees and more fees")
        ('fee', 'more', 'fee')
    """
    return tuple(word for found in _WORDS.findall(text.casefold()) for word in _folded(found))


def numbers(words: frozenset[str]) -> frozenset[str]:
    """Those words that are numbers.

    Example:
        >>> sorted(numbers(content("In 2023, 3.5 percent")))
        ['2023', '3.5']
    """
    return frozenset(word for word in words if word[0].isdigit())


def forms(word: str) -> tuple[str, ...]:
    """Lower-case strings one of which stands in every text whose content holds the word: for a fast first look.

    Example:
        >>> forms("1200"), forms("3"), forms("policy")
        (('1200', '1,200'), ('3', 'three'), ('polic',))
    """
    if word.isascii() and word.isdigit():
        return tuple(dict.fromkeys((word, f"{int(word):,}", _WRITTEN.get(word, word))))
    return (word[:-1] if len(word) > 4 and word.endswith("y") else word,)


def _folded(word: str) -> tuple[str, ...]:
    if word[0].isdigit():
        return (_number(word),)
    if word[0] >= "\u0e00":
        pairs = tuple(map("".join, pairwise(word))) or (word,)
        return tuple(pair for pair in pairs if pair not in _EMPTY_WIDE)
    plain = word.replace("\u2019", "'").removesuffix("'s")
    return () if plain in _EMPTY else (_FIGURES.get(plain) or _singular(plain),)


def _number(word: str) -> str:
    """1,200 and 1200 are one number; 1,5 stays as it is."""
    return word.replace(",", "") if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", word) else word


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
