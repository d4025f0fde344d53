"""Words of a text as a search index sees them: lower case, without accents, endings and English function words.

Scripts that are written without spaces (Chinese, Japanese, Thai, ...) have no words to cut at, so a run of them becomes
its overlapping pairs of characters, the usual cheap and dictionary-free choice; a run of one character stays as it is.
Everything that depends on a word alone is done once for each distinct word, so the cost of a text is one regular
expression and one dictionary look-up a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from hashlib import blake2b
from itertools import pairwise

# Part of every index's settings: change it whenever the same text would give other words.
VERSION = 1
IGNORED = 0

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003134f"  # fmt: skip  # noqa: E501
_HAS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_WORD = re.compile(r"\w+")
_WORD_OR_RUN = re.compile(rf"[{_UNSPACED}]+|[^\W{_UNSPACED}]+")
_FUNCTION_WORDS = (
    "a about above after again all also although am an and any are as at be because been before being below between "
    "both but by can could did do does doing down during each few for from further had has have having he her here "
    "hers him his how i if in into is it its itself just may me might more most must my no nor not of off on once only "
    "or other our out over own same shall she should so some such than that the their them then there these they this "
    "those through to too under until up very was we were what when where which while who whom whose why will with "
    "would you your s t"
)
_STOP_WORDS = frozenset(_FUNCTION_WORDS.split())
_INFLECTED = ("ing", "ed")
_DERIVED = ("ization", "ation", "ment", "ness", "ly", "al", "ive", "ity")


def words(text: str) -> list[str]:
    """The raw words of a text in order, lower case, endings and function words still on.

    Example:
        >>> words("Rent: 3 months")
        ['rent', '3', 'months']
        >>> words("通知期间 is long")
        ['通知', '知期', '期间', 'is', 'long']
    """
    lowered = text.lower()
    if lowered.isascii() or not _HAS_UNSPACED.search(lowered):
        return _WORD.findall(lowered)
    return [word for run in _WORD_OR_RUN.findall(lowered) for word in _pairs(run)]


def _pairs(run: str) -> Iterator[str]:
    if len(run) < 2 or not _HAS_UNSPACED.match(run):
        yield run
        return
    yield from map("".join, pairwise(run))


def term(word: str) -> str:
    """What a word is indexed under; empty for a function word.

    Example:
        >>> term("policies"), term("Café".lower()), term("the")
        ('policy', 'cafe', '')
    """
    plain = word if word.isascii() else _plain(word)
    return "" if plain in _STOP_WORDS else stem(plain)


def _plain(word: str) -> str:
    decomposed = unicodedata.normalize("NFKD", word)
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if not 0x300 <= ord(c) < 0x370))


def stem(word: str) -> str:
    """The word without its common English endings; words of other alphabets stay as they are.

    Cruder than Porter's rules and about as good: what matters is that forms of a word meet, not what they are called.

    Example:
        >>> [stem(word) for word in ("notices", "parties", "glass", "required", "requirement", "stopping")]
        ['notic', 'party', 'glass', 'requir', 'requir', 'stop']
    """
    if len(word) < 4 or not word.isascii():
        return word
    return _cut(_cut(_singular(word), _INFLECTED, 3), _DERIVED, 4)


def _singular(word: str) -> str:
    if word[-1] != "s":
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    return word if word.endswith(("ss", "us", "is")) else word[:-1]


def _cut(word: str, endings: tuple[str, ...], least: int) -> str:
    """The word without the first ending that leaves enough of it, without a doubled last letter and a last e."""
    for ending in endings:
        if word.endswith(ending) and len(word) - len(ending) >= least:
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word[:-1] if word[-1] == "e" and len(word) > 4 else word


def terms(text: str) -> list[str]:
    """The terms of a text in order, function words left out.

    Example:
        >>> terms("What are the notice periods?")
        ['notic', 'period']
    """
    return [found for found in map(term, words(text)) if found]


def fingerprint(found: str) -> int:
    """64 bits that stand for a term; two of ten million terms share one with probability 3e-6."""
    return int.from_bytes(blake2b(found.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


class Vocabulary(dict[str, int]):
    """Word -> number of its term, handed out as words are first looked up; `IGNORED` for function words.

    Example:
        >>> vocabulary = Vocabulary()
        >>> [vocabulary[word] for word in words("the rents of a rent")]
        [0, 1, 0, 0, 1]
        >>> vocabulary.terms
        ['', 'rent']
    """

    def __init__(self) -> None:
        super().__init__()
        self.terms = [""]
        self._numbers = {"": IGNORED}

    def __missing__(self, word: str) -> int:
        found = term(word)
        number = self._numbers.setdefault(found, len(self.terms))
        if number == len(self.terms):
            self.terms.append(found)
        self[word] = number
        return number
