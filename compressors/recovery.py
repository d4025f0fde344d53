"""Puts words back that compression took out of what an answer copies.

The idea is LongLLMLingua's subsequence recovery (Jiang et al., ACL 2024, arXiv:2310.06839). There the original is
searched for the best match; here every kept word knows its place in the source, so nothing has to be guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ragctx.types import Context, Passage

_WORD = re.compile(r"\w+|[^\w\s]")
_LETTERS = re.compile(r"\w*")
GAP = 10


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Characters [start, end) of a document, in the text of a passage from the place `at` on."""

    document: str
    start: int
    end: int
    text: str
    at: int

    def holds(self, document: str, start: int, end: int) -> bool:
        return self.document == document and self.start <= start and end <= self.end

    def read(self, start: int, end: int) -> str:
        return self.text[self.at + start - self.start : self.at + end - self.start]

    def whole_words(self, start: int, end: int) -> tuple[int, int]:
        """The range with the rest of the words that it cuts."""
        ahead, behind = self.read(self.start, start)[::-1], self.read(end, self.end)
        inside = self.read(start, end)
        if inside[:1].isalnum():
            start -= len(_run(ahead))
        if inside[-1:].isalnum():
            end += len(_run(behind))
        return start, end


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of the kept text, and where it stands in its source."""

    text: str
    start: int
    end: int
    source: _Stretch | None


def recovered(answer: str, before: Context, kept: Context, *, gap: int = GAP) -> str:
    """The answer, what it copied from the kept text put as the source has it.

    Every longest run of the answer's words that stands in the kept text as it is written there is replaced by what the
    source has from the first to the last of these words. Words more than `gap` words apart in the source are no run.
    Where a run stands in several places, the one that is shortest in the source is taken. What the answer says in its
    own words stays, and so does what was copied from derived passages, whose words have no place in a source.

    Args:
        answer: what the reader wrote.
        before: the context that was compressed.
        kept: what was left of it, which the reader saw.
        gap: most words that may have been left out between two of a run.

    Example:
        >>> from ragctx.types import Span
        >>> whole = Passage("The lease ends on the 3rd of May, 2031.", (Span("a", 0, 39),))
        >>> left = whole.narrowed([(10, 14), (22, 25), (29, 32), (34, 38)])
        >>> left.text, recovered("It ends 3rd May 2031.", Context((whole,)), Context((left,)))
        ('ends 3rd May 2031', 'It ends on the 3rd of May, 2031.')
    """
    words = list(_kept_words(before, kept, gap))
    said = list(_WORD.finditer(answer))
    runs = _runs([word.group() for word in said], words)
    pieces, at, number = [], 0, 0
    while number < len(said):
        length, text = _best(runs[number], words)
        if length and text is not None:
            start, end = said[number].start(), said[number + length - 1].end()
            pieces += [answer[at:start], text]
            at = end
        number += max(1, length)
    return "".join([*pieces, answer[at:]])


def _runs(said: Sequence[str], words: Sequence[_Word]) -> list[dict[int, int]]:
    """For each word of the answer: where it stands in the kept text, and how many words are the same from there on."""
    places: dict[str, list[int]] = {}
    for number, word in enumerate(words):
        places.setdefault(word.text, []).append(number)
    runs: list[dict[int, int]] = [{} for _ in range(len(said) + 1)]
    for number in reversed(range(len(said))):
        after = runs[number + 1]
        runs[number] = {
            place: 1 + after.get(place + 1, 0) for place in places.get(said[number], ()) if words[place].source
        }
    return runs[:-1]


def _best(found: dict[int, int], words: Sequence[_Word]) -> tuple[int, str | None]:
    """The longest run's length, and what the source has in its place; no text where that is the same."""
    most = max(found.values(), default=0)
    texts = [_original(words[place : place + most]) for place, length in found.items() if length == most]
    best = min(texts, key=len, default="")
    same = any("".join(word.text for word in words[place : place + most]) == "".join(best.split()) for place in found)
    return most, None if same else best


def _original(run: Sequence[_Word]) -> str:
    """What the source has from the first word of a run to its last, on one line."""
    source = run[0].source
    if source is None:
        return ""
    return " ".join(source.read(*source.whole_words(run[0].start, run[-1].end)).split())


def _kept_words(before: Context, kept: Context, gap: int) -> Iterator[_Word]:
    """The words of the kept text, a word of no source between two that are no run."""
    sources = [stretch for passage in before.passages for stretch in _stretches(passage)]
    for passage in kept.passages:
        words = list(_words(passage, sources))
        for word, following in pairwise(words):
            yield word
            if not _near(word, following, gap):
                yield _Word("", 0, 0, None)
        yield from words[-1:]
        yield _Word("", 0, 0, None)


def _near(word: _Word, following: _Word, gap: int) -> bool:
    source = word.source
    if source is None or source is not following.source or following.start < word.end:
        return False
    return len(_WORD.findall(source.read(word.end, following.start))) <= gap


def _words(passage: Passage, sources: Sequence[_Stretch]) -> Iterator[_Word]:
    for stretch in _stretches(passage):
        held = next((s for s in sources if s.holds(stretch.document, stretch.start, stretch.end)), None)
        for found in _WORD.finditer(stretch.read(stretch.start, stretch.end)):
            yield _Word(found.group(), stretch.start + found.start(), stretch.start + found.end(), held)


def _stretches(passage: Passage) -> Iterator[_Stretch]:
    """The spans of a passage with their places in its text; none of a derived one."""
    at = 0
    for number, span in enumerate(passage.spans if not passage.derived else ()):
        at += number > 0 and passage.spans[number - 1].end < span.start  # the blank that stands for the gap
        yield _Stretch(span.document, span.start, span.end, passage.text, at)
        at += len(span)


def _run(text: str) -> str:
    found = _LETTERS.match(text)
    return found.group() if found else ""
