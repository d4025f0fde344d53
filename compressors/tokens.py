"""The tokens of passages, each with its place in the text: what token-level compressors keep or leave out."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from ragctx.compressors.forced import NONE, NUMERALS, Rules
from ragctx.types import Passage

if TYPE_CHECKING:
    from ragctx.models import Pieces

# Scripts written without blanks: their words are not seen, so every token of theirs is by itself.
_DENSE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uf900-\ufaff\U00020000-\U0003ffff"
_W = rf"[^\W{_DENSE}]"
_WORD = re.compile(rf"[$€£¥]?\d+(?:[.,:/\-]\d+)*(?:[{NUMERALS}]+|{_W}*[%‰]?)|[{NUMERALS}]{{2,}}|{_W}+(?:['’\-]{_W}+)*")
_LONGEST = 40  # characters; what is longer is no word, and may be cut anywhere
_JOINER = "\u200d"
_REGIONAL = "".join(map(chr, range(0x1F1E6, 0x1F200)))
_SKINS = "".join(map(chr, range(0x1F3FB, 0x1F400)))


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept or left out as one: characters [start, end) of a passage's text.

    Attributes:
        passage: number of the passage.
        start, end: with the blanks before it; the tokens of a passage stand edge to edge and hold all of its text.
        first, last: its places [first, last) among the passage's ids; none where the tokenizer saw nothing in it.
        weight: how much it is wanted; larger is more.
        forced: it stays whatever it weighs, as far as the budget holds.
    """

    passage: int
    start: int
    end: int
    first: int = 0
    last: int = 0
    weight: float = 0.0
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Tokenized:
    """One passage as a model sees it.

    Attributes:
        ids: of the whole text. tokens: in order; none where the text is blank.
    """

    ids: tuple[int, ...]
    tokens: tuple[Token, ...]

    def weighed(self, values: Sequence[float], first: int = 0) -> list[Token]:
        """The tokens whose ids have values, each weighing the mean of its ids' values.

        Args:
            values: one for each id from the place `first` on; larger is more wanted.
            first: a place at which a token begins.

        Example:
            >>> word = Tokenized((7, 8, 9), (Token(0, 0, 4, 0, 2), Token(0, 4, 7, 2, 3)))
            >>> [token.weight for token in word.weighed([1.0, 2.0, 5.0])]
            [1.5, 5.0]
        """
        end = first + len(values)
        inside = (token for token in self.tokens if token.first >= first and token.last <= end)
        return [replace(t, weight=_mean(values[t.first - first : t.last - first])) for t in inside]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def tokens_of(
    passages: Iterable[Passage], pieces: Pieces, *, rules: Rules = NONE, words: bool = True
) -> list[Tokenized]:
    """The tokens of every passage.

    No token splits a character: a byte-level tokenizer's pieces of one emoji are one token, and what is written on top
    of a letter stays on it. Blanks belong to what follows.

    Args:
        passages: in any order; their numbers are the places in it.
        pieces: of the model that will weigh the tokens.
        rules: what has to stay.
        words: pieces of one word or number are one token, so that no half of either is ever read; scripts without
            blanks keep the tokenizer's pieces, and of numerals in a row the whole number.

    Example:
        >>> from ragctx.readers.scripted import Scripted
        >>> text = "Rent is 1,200.50 a month."
        >>> [one] = tokens_of([Passage(text, ())], Scripted().facts.counter)
        >>> [text[token.start : token.end] for token in one.tokens]
        ['Rent', ' is', ' 1,200.50', ' a', ' month', '.']
    """
    return [_tokenized(number, passage.text, pieces, rules, words) for number, passage in enumerate(passages)]


def _tokenized(number: int, text: str, pieces: Pieces, rules: Rules, words: bool) -> Tokenized:
    ids, offsets = pieces.pieces(text)
    if not text.strip():
        return Tokenized(tuple(ids), ())
    cuts = [(0, 0), *_cuts(text, offsets, words)]
    if len(cuts) > 1 and not text[cuts[-1][0] :].strip():
        cuts.pop()
    borders = pairwise([*cuts, (len(text), len(ids))])
    tokens = [Token(number, start, end, first, last) for (start, first), (end, last) in borders]
    return Tokenized(tuple(ids), tuple(_forced(tokens, rules.ranges(text))))


def _cuts(text: str, offsets: Sequence[tuple[int, int]], words: bool) -> Iterator[tuple[int, int]]:
    """Where tokens begin after the first: at which character, and at which piece."""
    bound = _inside_words(text) if words else iter(())
    word, reached, before = next(bound, None), 0, 0
    for piece, (start, end) in enumerate(offsets):
        place = reached
        reached = max(reached, end)
        while word is not None and word[1] <= place:
            word = next(bound, None)
        within = word is not None and word[0] < place
        held = place - before < _LONGEST and _holds_on(text, place)
        if start < place or within or held or not text[before:place].strip():
            continue
        yield place, piece
        before = place


def _inside_words(text: str) -> Iterator[tuple[int, int]]:
    return (word.span() for word in _WORD.finditer(text) if 1 < word.end() - word.start() <= _LONGEST)


def _holds_on(text: str, place: int) -> bool:
    """Whether the character at a place belongs to the one before it."""
    if not 0 < place < len(text) or text[place] < "\u0300":
        return False
    if text[place] in _REGIONAL:  # two make a flag
        before = text[max(0, place - _LONGEST) : place]
        return (len(before) - len(before.rstrip(_REGIONAL))) % 2 == 1
    return (
        _JOINER in text[place - 1 : place + 1] or text[place] in _SKINS or unicodedata.category(text[place])[0] == "M"
    )


def _forced(tokens: Sequence[Token], ranges: Sequence[tuple[int, int]]) -> Iterator[Token]:
    """The tokens, those that share a character with one of the ranges forced."""
    waiting = iter(ranges)
    start, end = next(waiting, (None, 0))
    for token in tokens:
        while start is not None and end <= token.start:
            start, end = next(waiting, (None, 0))
        yield replace(token, forced=True) if start is not None and start < token.end else token
