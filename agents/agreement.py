"""Which answers say the same."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragctx.grounding.words import content, numbers
from ragctx.types import Answer

# Two answers say the same where they share this much of what they add to the question (the harmonic mean of shares).
_SHARED = 0.6
_VERDICT = re.compile(r"^\W*(yes|no|true|false)\b", re.I)
_DENIES = re.compile(r"\b(?:no|not|never|nor|neither|none|nothing|without|cannot)\b|n['\u2019]t\b|[不没未无]", re.I)


def alike(one: Answer, other: Answer, question: str) -> bool:
    """Whether two answers to a question say the same: by their words, figures, and what they deny.

    Example:
        >>> three, again, six = map(Answer, ("Three months.", "The notice period is 3 months.", "Six months."))
        >>> [alike(three, other, "What is the notice period?") for other in (again, six)]
        [True, False]
    """
    if one.answerable != other.answerable:
        return False
    if not one.answerable:
        return True
    if one.data is not None or other.data is not None:
        return one.data == other.data
    verdicts = [match[1].lower() if (match := _VERDICT.match(answer.text)) else "" for answer in (one, other)]
    if all(verdicts):
        return verdicts[0] == verdicts[1]
    return _same_words(one.text, other.text, question)


def parties(answers: Sequence[Answer], question: str) -> list[list[int]]:
    """Numbers of the answers that say the same, the largest party first, and among equals the one that came first."""
    found: list[list[int]] = []
    for number, answer in enumerate(answers):
        party = next((party for party in found if alike(answers[party[0]], answer, question)), None)
        if party is None:
            found.append([number])
        else:
            party.append(number)
    return sorted(found, key=len, reverse=True)


def _same_words(one: str, other: str, question: str) -> bool:
    if _plain(one) == _plain(other):
        return True
    if bool(_DENIES.search(one)) != bool(_DENIES.search(other)):
        return False
    asked = content(question)
    first, then = (content(text) - asked or content(text) for text in (one, other))
    if numbers(first) != numbers(then) or not first or not then:
        return False
    return 2 * len(first & then) / (len(first) + len(then)) >= _SHARED


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())
