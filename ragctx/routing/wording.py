"""How a question is put, whatever it is about: which function words it uses, how it begins, its marks.

Predictors that are fitted may use these; names of things stay out, so that what is learnt of one field serves another.
A word that is not said is not unknown: its signal is left out and counts as 0.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from ragctx.routing.words import listed, words

SAID: Final = "says_"
_MARKS: Final = {
    "comma": re.compile(","),
    "number": re.compile(r"\d"),
    "name": re.compile(r"(?<!^)\b[A-Z]"),
    "brackets": re.compile(r"\([^)]+\)"),
    "two_sentences": re.compile(r"[.?!]\s+\S"),
}


def wording(text: str) -> dict[str, float]:
    """1 for each function word that occurs, for the first word, and for marks; nothing for what does not occur.

    Example:
        >>> sorted(wording("How do the two leases differ, and why?"))
        ['says_and', 'says_comma', 'says_do', 'says_first_how', 'says_how', 'says_the', 'says_why']
    """
    found = words(text)
    known = _function_words()
    said = [word for word in dict.fromkeys(found) if word in known]
    first = [f"first_{word}" for word in found[:1] if word in known]
    marks = [name for name, pattern in _MARKS.items() if pattern.search(text)]
    return {f"{SAID}{name}": 1.0 for name in (*said, *first, *marks)}


@cache
def _function_words() -> frozenset[str]:
    return listed("stop") | listed("english")
