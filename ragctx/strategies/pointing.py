"""From what a ranker points out in passages to one answer: which words, how surely, and where they stand."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ragctx.requests import Relevances
from ragctx.types import Passage

# A sentence to be shown: a table or a line without end is cut to about this many characters around its answer.
LONGEST = 600
_EDGES = " \t\n\r\f\v.,;:!?\u3002\uff0c\uff1b\uff1a\uff01\uff1f\u3001\u2013\u2014-*|"
# Marks that belong to the figure after them: -5, .5.
_SIGNS = "-\u2013\u2014."
_PAIRS = {"(": ")", "[": "]", "{": "}", "\u201c": "\u201d", "\u2018": "\u2019", "\u00ab": "\u00bb", '"': '"', "'": "'"}
_ARTICLES = frozenset({"a", "an", "the"})
_NUMBERED = re.compile(r"^[\s#*]*\d+(?:\.\d+)*[.)]?\s")
_WORDS = re.compile(r"[^\W_]+|[%\u20ac$\u00a3\u00a5\u00b0]|[-\u2212+](?=\d)")


@dataclass(frozen=True, slots=True)
class Place:
    """Characters [start, end) of a passage, and how likely it is that they answer.

    Attributes:
        passage: its number. text: the characters.
        sentence: the range of the sentences that hold them.
    """

    passage: int
    start: int
    end: int
    probability: float
    text: str
    sentence: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Said:
    """One answer and every place that says so, the likeliest first.

    Attributes:
        probability: that it is the answer.
    """

    places: tuple[Place, ...]
    probability: float

    @property
    def text(self) -> str:
        """As the likeliest place words it, on one line."""
        return " ".join(self.places[0].text.split())


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """A range without the marks around it: blanks, full stops, brackets and quotes that lack their partner.

    Example:
        >>> [text[slice(*trimmed(text, 0, len(text)))] for text in (" (1990).", "the U.S.", '"Moss"', "f(x)", "-5 %.")]
        ['1990', 'the U.S.', 'Moss', 'f(x)', '-5 %']
    """
    before = None
    while before != (start, end):
        before = start, end
        while start < end and text[start] in _EDGES and not _signs(text, start, end):
            start += 1
        while start < end and text[end - 1] in _EDGES and not _abbreviates(text[start:end]):
            end -= 1
        start, end = _unquoted(text, start, end)
    return start, end


def pointed(passages: Sequence[Passage], units: Sequence[Sequence[tuple[int, int]]], reply: Relevances) -> list[Place]:
    """Every answer that was pointed out, without the marks around it; nothing of endless length is one.

    Args:
        passages: that were read.
        units: their sentences.
        reply: what the ranker said of them.
    """
    places = []
    for number, stretches in enumerate(reply.answers):
        text = passages[number].text
        for stretch in stretches:
            start, end = trimmed(text, max(0, stretch.start), min(len(text), stretch.end))
            if 0 < end - start <= LONGEST:
                sentence = around(units[number], start, end)
                places.append(Place(number, start, end, stretch.probability, text[start:end], sentence))
    return places


def telling(places: Sequence[Place], passages: Sequence[Passage], question: str) -> list[Place]:
    """The places whose sentence says something that the question does not: a heading that only repeats it is left out.

    A place with a word or a figure that is not the question's is left in, whatever its sentence.

    Example:
        >>> texts = [Passage("3. Deposit", ()), Passage("The deposit is ten crowns.", ())]
        >>> places = [Place(0, 3, 10, 0.4, "Deposit", (0, 10)), Place(1, 15, 25, 0.3, "ten crowns", (0, 26))]
        >>> [place.text for place in telling(places, texts, "How much is the deposit?")]
        ['ten crowns']
    """
    asked = set(normal(question).split())
    return [
        one
        for one in places
        if (set(normal(one.text).split()) | _words(passages[one.passage].text[slice(*one.sentence)])) - asked
    ]


def _words(sentence: str) -> set[str]:
    """What a sentence says, without the number that a heading begins with."""
    return set(normal(_NUMBERED.sub("", sentence)).split())


def answers(places: Sequence[Place], passages: Sequence[Passage], support: float = 1.0) -> list[Said]:
    """The answers, likeliest first; passages that say the same add up.

    The places of one answer are taken for independent witnesses, so that it is wrong only if all of them are:
    1 - (1 - p1)(1 - support p2)(1 - support p3)... with the likeliest first. A sentence that stands in several
    documents word by word is one witness.

    Args:
        places: where something was pointed out.
        passages: that were read.
        support: what the word of all witnesses but the first is worth, 0 to 1.
    """
    alike: dict[str, list[Place]] = {}
    for place in places:
        alike.setdefault(normal(place.text), []).append(place)
    said = [_together(group, passages, support) for group in alike.values()]
    return sorted(said, key=lambda one: (-one.probability, one.places[0].passage, one.places[0].start))


def normal(text: str) -> str:
    """What two wordings of one answer share: words in lower case without articles and marks; figures keep their signs.

    Example:
        >>> normal("The  three-month period."), normal("1,200 %"), normal("-5")
        ('three month period', '1200 %', '- 5')
    """
    plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text.casefold())
    words = [word for word in _WORDS.findall(plain) if word not in _ARTICLES]
    return " ".join(words) or text.casefold().strip()


def within(one: str, other: str) -> bool:
    """Whether one of two answers only says more than the other.

    Example:
        >>> within("three months", "within three months"), within("three months", "six months")
        (True, False)
    """
    first, second = set(normal(one).split()), set(normal(other).split())
    return first <= second or second <= first


def around(units: Sequence[tuple[int, int]], start: int, end: int) -> tuple[int, int]:
    """The sentences that hold a range, as one range."""
    holding = [unit for unit in units if unit[0] < end and unit[1] > start]
    return min((first for first, _ in holding), default=start), max((last for _, last in holding), default=end)


def shown(text: str, sentence: tuple[int, int], start: int, end: int) -> tuple[int, int]:
    """A sentence, or the part of an endless one around a range, cut at blanks."""
    first, last = sentence
    if last - first <= LONGEST:
        return sentence
    spare = max(0, LONGEST - (end - start)) // 2
    low, high = max(first, start - spare), min(last, end + spare)
    if low > first:
        low = text.find(" ", low, start) + 1 or low
    if high < last:
        blank = text.rfind(" ", end, high)
        high = blank if blank >= 0 else high
    return low, high


def likeliest_sentence(
    passages: Sequence[Passage], units: Sequence[Sequence[tuple[int, int]]], reply: Relevances, question: str = ""
) -> Place | None:
    """The sentence most likely needed, of those that say more than the question; None where none was weighed.

    Args:
        passages: that were read.
        units: their sentences.
        reply: what the ranker said of them.
        question: what is asked.
    """
    asked = set(normal(question).split())
    weighed = [
        (keep, -i, -j)
        for i, keeps in enumerate(reply.keeps)
        for j, keep in enumerate(keeps)
        if _words(passages[i].text[slice(*units[i][j])]) - asked
    ]
    if not weighed:
        return None
    keep, passage, unit = max(weighed)
    start, end = units[-passage][-unit]
    text = passages[-passage].text
    cut = shown(text, (start, end), start, start)
    return Place(-passage, *cut, keep, text[slice(*cut)], cut)


def _together(group: Sequence[Place], passages: Sequence[Passage], support: float) -> Said:
    ordered = sorted(group, key=lambda place: (-place.probability, place.passage, place.start))
    witnesses: dict[str, float] = {}
    for place in ordered:
        sentence = " ".join(passages[place.passage].text[slice(*place.sentence)].split())
        witnesses.setdefault(sentence, min(1.0, max(0.0, place.probability)))
    first, *others = witnesses.values()
    wrong = (1 - first) * math.prod(1 - support * probability for probability in others)
    return Said(tuple(ordered), round(1 - wrong, 9))  # one witness of 0.2 is 0.2


def _signs(text: str, start: int, end: int) -> bool:
    """Whether the mark at the start is a figure's sign."""
    return text[start] in _SIGNS and start + 1 < end and text[start + 1].isdigit()


def _abbreviates(text: str) -> bool:
    """Whether the full stop at the end belongs to the word: U.S., p.m."""
    last = text.rsplit(maxsplit=1)[-1] if text.split() else ""
    return text.endswith(".") and bool(re.fullmatch(r"(?:[^\W\d_]{1,2}\.){2,}", last))


def _unquoted(text: str, start: int, end: int) -> tuple[int, int]:
    """The range without quotes around all of it, and without a bracket or quote whose partner is outside."""
    if end - start < 1:
        return start, end
    first, last, inner = text[start], text[end - 1], text[start + 1 : end - 1]
    if first in _PAIRS and end - start > 1 and last == _PAIRS[first] and first not in inner and last not in inner:
        return start + 1, end - 1
    if first in _PAIRS and _PAIRS[first] not in text[start + 1 : end]:
        return start + 1, end
    opening = next((mark for mark, closing in _PAIRS.items() if closing == last), None)
    if opening is not None and opening not in text[start : end - 1]:
        return start, end - 1
    return start, end
