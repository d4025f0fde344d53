"""Words of a question that carry its meaning, and whether it is asked in English.

No linguistic package: the router needs a few microseconds of this for every question of a job.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache, lru_cache
from pathlib import Path

_WORD = re.compile(r"[^\W_]+")
_WIDE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_SUFFIXES = ("ations", "ation", "ments", "ment", "ings", "ing", "ies", "ied", "ed", "es", "s", "e", "y")


@cache
def listed(name: str) -> frozenset[str]:
    """One of the lists of `words.toml`: stop, english, other."""
    table = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))
    return frozenset(table[name].split())


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """A crude common stem: enough for "invoices" to meet "invoice" and "signed" to meet "signs".

    Example:
        >>> stem("invoices"), stem("invoice"), stem("was")
        ('invoic', 'invoic', 'was')
    """
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return word[: -len(suffix)]
    return word


def words(text: str) -> list[str]:
    """Lower-case words in order; a run of Chinese, Japanese, Korean or Thai counts as its pairs of characters.

    Example:
        >>> words("The tenant's notice"), words("通知期间")
        (['the', 'tenant', 's', 'notice'], ['通知', '知期', '期间'])
    """
    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        found.extend(_pairs(word) if _WIDE.search(word) else [word])
    return found


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]


def content_terms(text: str) -> tuple[str, ...]:
    """Distinct stems of the words that are not stop words, in order; all words where nothing else is left.

    Example:
        >>> content_terms("What is the notice period of the lease?")
        ('notic', 'period', 'leas')
    """
    every = words(text)
    kept = [word for word in every if word not in listed("stop") and (len(word) > 1 or word.isdigit())]
    return tuple(dict.fromkeys(map(stem, kept or every)))


def is_english(text: str) -> bool:
    """Whether the cue words can be trusted on this question.

    English function words must outnumber those of other languages; a short question without any ("Notice period?")
    passes when all its letters are ASCII.

    Example:
        >>> is_english("What is the deposit?"), is_english("Wie hoch ist die Kaution?"), is_english("Notice period?")
        (True, False, True)
    """
    every = words(text)
    english, other = (sum(word in known for word in every) for known in (listed("english"), listed("other")))
    if english or other:
        return english > other
    return text.isascii()
