"""The plan of a long text: its lines with their lengths, what is wrong with it, and how well a length was met."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ragctx.corpus.sentences import bounds
from ragctx.prompts.replies import lines

# "| 150 words", "(about 150 words)", ": 100-150 words": the last number counts.
_COUNT = re.compile(r"[\s|:;,(\[*\u2013\u2014-]*(?:about|ca\.?|~|approx\w*\.?|around|up to)?\s*"
                    r"(?:\d[\d,]*\s*(?:-|\u2013|to)\s*)?(\d[\d,]*)\s*words?\W*$", re.IGNORECASE)  # fmt: skip
_LISTED = re.compile(r"^\s*(?:[-*\u2022]|\(?\d{1,3}[.):]|part\s+\d)", re.IGNORECASE)
_PART = re.compile(r"^(?:\W*part\s+\d{1,3}\s*[:.)|-]+\s*)", re.IGNORECASE)
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]|(?:(?![\u3040-\u9fff])[^\W_])+(?:['\u2019-][^\W_]+)*")
_WANTED = re.compile(r"(\d[\d,]*)[\s-]*words?\b", re.IGNORECASE)
# What the template shows as the plan of another text; small models write it down as their own.
EXAMPLE = ("How the mill came to be built", "Who has kept it running since")
# Words of a part at the least and at the most, whatever a plan says.
_SHORTEST, LONGEST = 20, 1000
# Characters of a line of the plan, and of what was written for it.
_LINE = 160
_NAMES = re.compile(r"[^\W\d_]{2,}")
_SHOWN = {word for point in EXAMPLE for word in _NAMES.findall(point.casefold())} | {"plan", "words"}
# A line of which more words than this share are the shown plan's is that plan again, however it was cut.
_ALIKE = 0.8


@dataclass(frozen=True, slots=True)
class Step:
    """One part: what it says, and how many words it is to have."""

    point: str
    words: int


def planned(reply: str, most: int, words: int) -> tuple[tuple[Step, ...], str]:
    r"""The steps of a plan, and what is wrong with it; steps are none where something is.

    A line without a length gets an equal share. Lengths are scaled so that they add up to what was asked.

    Args:
        reply: what the model wrote.
        most: more lines than this are no plan.
        words: of the whole text.

    Example:
        >>> planned("1. The lease | 100 words\n2. Its notice period (50 words)", most=5, words=300)[0]
        (Step(point='The lease', words=200), Step(point='Its notice period', words=100))
        >>> planned("I cannot plan this.", most=5, words=300)[1]
        'no line has the form "1. What the part says | 100 words"'
    """
    every = [
        line for line in (told.strip(" *") for told in reply.splitlines()) if _LISTED.match(line) or _COUNT.search(line)
    ]
    rough = [step for line in every for told in lines(line) if (step := _step(told)) is not None]
    if not rough:
        return (), 'no line has the form "1. What the part says | 100 words"'
    own = [(point, length) for point, length in rough if not _copied(point)]
    if not own:
        return (), "it is the plan of another text: plan the text that is asked for"
    if len(own) > most:
        return (), f"it has {len(own)} lines: write {most} at most"
    share = words // len(own)
    given = [length or share for _, length in own]
    factor = words / max(1, sum(given))
    return tuple(
        Step(point, min(LONGEST, max(_SHORTEST, round(length * factor))))
        for (point, _), length in zip(own, given, strict=True)
    ), ""


def _copied(point: str) -> bool:
    words = _NAMES.findall(point.casefold())
    return bool(words) and sum(word in _SHOWN for word in words) > _ALIKE * len(words)


def _step(line: str) -> tuple[str, int] | None:
    found = _COUNT.search(line)
    point = _PART.sub("", line[: found.start()] if found else line).strip(" *|:;,-\u2013\u2014#")
    if not re.search(r"\w", point):
        return None
    return point[:_LINE], int(found[1].replace(",", "")) if found else 0


def outline(steps: Sequence[Step], written: Sequence[str]) -> str:
    """The plan's lines; behind those that are written their first sentence stands in for the text.

    Args:
        steps: all of them.
        written: the texts of the first ones, empty where nothing came.

    Example:
        >>> print(outline([Step("The lease", 50), Step("Its end", 50)], ["It runs ten years. It is long."]))
        1. The lease (written: It runs ten years.)
        2. Its end
    """
    told = [f" (written: {_first(text)})" if text else " (left out)" for text in written]
    told += [""] * (len(steps) - len(told))
    return "\n".join(
        f"{number}. {step.point}{done}" for number, (step, done) in enumerate(zip(steps, told, strict=True), 1)
    )


def _first(text: str) -> str:
    start, end = next(bounds(text[: 4 * _LINE]), (0, 0))
    return " ".join(text[start:end].split())[:_LINE]


def ending(text: str, words: int) -> str:
    """The last words of a text, from where a sentence begins if one does there."""
    held = list(_WORD.finditer(text))
    if len(held) <= words:
        return text
    at = held[-words].start()
    return text[next((start for start, _ in bounds(text) if start >= at), at) :]


def count(text: str) -> int:
    """Words of a text; every Chinese or Japanese character is one.

    Example:
        >>> count("The tenant's well-kept yard."), count("通知期间")
        (4, 4)
    """
    return len(_WORD.findall(text))


def wanted(text: str) -> int | None:
    """How many words a question asks for; None where it does not say.

    Example:
        >>> wanted("Write a report of 1,200 words."), wanted("In other words?")
        (1200, None)
    """
    found = _WANTED.search(text)
    return int(found[1].replace(",", "")) or None if found else None


def length_score(required: int, produced: int) -> float:
    """How well a length was met, 0 to 100 (S_l of LongWriter, arXiv 2408.07055): too short costs more than too long.

    Example:
        >>> length_score(1000, 1000), length_score(1000, 2500), length_score(1000, 500), length_score(1000, 10)
        (100.0, 50.0, 50.0, 0.0)
    """
    if required < 1 or produced < 1:
        return 0.0
    over = produced / required
    return 100 * max(0.0, 1 - ((over - 1) / 3 if over > 1 else (1 / over - 1) / 2))
