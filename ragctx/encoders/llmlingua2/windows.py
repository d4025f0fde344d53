"""Texts as windows of tokens with exact places, which end where sentences or lines do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragctx.encoders.llmlingua2.checkpoint import Checkpoint
from ragctx.encoders.windows import Range, TokenCounter, Window, opened, sayable

if TYPE_CHECKING:
    from tokenizers import Encoding

_STOPS, _WIDE = frozenset(".!?…"), frozenset("。！？")
# A text is encoded in pieces of so many characters, cut at blanks: some tokenizers take forever over endless lines.
_PIECE = 20_000


@dataclass(frozen=True, slots=True)
class WordTokens(TokenCounter):
    """The checkpoint's own tokenizer as a counter that tells its tokens."""

    def count(self, text: str) -> int:
        """Tokens of a text, without the special ones."""
        return len(self.pieces(text)[0])

    def pieces(self, text: str) -> tuple[list[int], list[Range]]:
        """Token ids of a text without special tokens, and the characters [start, end) that each stands for.

        What a tokenizer makes of nothing visible (SentencePiece's lone word mark) stands for no character: its place
        is an empty range.
        """
        ids: list[int] = []
        places: list[Range] = []
        for at, end in _pieces(text):
            encoding: Encoding = self.tokenizer.encode(sayable(text[at:end]), add_special_tokens=False)
            ids += encoding.ids
            places += [(at + first, at + last) for first, last in encoding.offsets]
        return ids, places


class Windows:
    """Cuts texts into windows, in the checkpoint's own form.

    Raises:
        ConfigError: the checkpoint's tokenizer is none, or does not belong to its weights.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.counter = WordTokens(tokenizer=opened(checkpoint.folder, checkpoint.vocabulary or None))
        self._before, self._after = self._marks()
        self._room = checkpoint.longest - len(self._before) - len(self._after)

    def of(self, text: str) -> list[Window]:
        """The windows over a text, edge to edge; none for a text without a token."""
        ids, places = self.counter.pieces(text)
        borders = list(_borders(text, places))
        return [
            Window([*self._before, *ids[first:last], *self._after], len(self._before), places[first:last])
            for first, last in _cuts(len(ids), self._room, borders)
        ]

    def _marks(self) -> tuple[list[int], list[int]]:
        """The special tokens before and after a text, as the tokenizer's own template has them."""
        marked = self.counter.tokenizer.encode("a")
        inside = [i for i, special in enumerate(marked.special_tokens_mask) if not special] or [len(marked.ids)]
        return marked.ids[: inside[0]], marked.ids[inside[-1] + 1 :]


def _pieces(text: str) -> Iterator[Range]:
    start = 0
    while len(text) - start > _PIECE:
        blank = max(text.rfind(mark, start + 1, start + _PIECE) for mark in "\n ")
        end = blank if blank > start else start + _PIECE
        yield start, end
        start = end
    yield start, len(text)


def _cuts(count: int, room: int, borders: Sequence[tuple[int, bool]]) -> Iterator[Range]:
    """Ranges of at most `room` tokens that end where a sentence does, else a word, as late as possible.

    Example:
        >>> list(_cuts(9, 4, [(3, True), (4, False), (6, False)]))
        [(0, 3), (3, 6), (6, 9)]
    """
    start, at = 0, 0
    while start < count:
        sentence = word = 0
        while at < len(borders) and borders[at][0] <= start + room:
            place, ends = borders[at]
            at += 1
            sentence, word = (place, place) if ends else (sentence, place)
        end = count if count <= start + room else (sentence or word or start + room)
        yield start, end
        while at and borders[at - 1][0] > end:
            at -= 1
        start = end


def _borders(text: str, places: Sequence[Range]) -> Iterator[tuple[int, bool]]:
    """Numbers of the tokens before which a word begins, and whether a sentence or a line ends there."""
    for i in range(1, len(places)):
        before, place = places[i - 1][1], places[i][0]
        last, gap = text[max(0, before - 1) : before], text[before : place + 1]
        blank = gap[:1].isspace()
        ends = last in _WIDE or (blank and (last in _STOPS or "\n" in gap))
        if ends or blank:
            yield i, ends
