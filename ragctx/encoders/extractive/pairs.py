"""A question and a passage as the passes that the model makes over them, as it was trained to read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ragctx.encoders.extractive.words import Tokens

ASKED, TITLE = 240, 60
"""Characters of question and title that are read."""
_MOST_ASKED = 64
"""Tokens of them each: where a character is a token the passage must still find room."""
OVERLAP = 64
"""Tokens that neighbouring windows share."""


@dataclass(frozen=True, slots=True, eq=False)
class Pass:
    """One sequence for the model.

    Attributes:
        ids: int64 [tokens]. lead: how many of them stand before the passage and belong to the first part; the last
            one of all is no passage token either.
        begin, end: which of the passage's tokens it shows.
    """

    ids: np.ndarray
    lead: int
    begin: int
    end: int

    @property
    def types(self) -> np.ndarray:
        """0 for the first part, 1 for the passage, int64 [tokens]."""
        types = np.ones(len(self.ids), np.int64)
        types[: self.lead] = 0
        return types


def lead(question: Tokens, title: Tokens | None, borders: tuple[int, int]) -> np.ndarray:
    """What stands before every window of a passage: question, and title where one is known."""
    before, after = [borders[0]], [borders[1]]
    parts: list[np.ndarray | list[int]] = [before, question.ids[:_MOST_ASKED], after]
    if title is not None:
        parts += [title.ids[:_MOST_ASKED], after]
    return np.concatenate(parts).astype(np.int64)


def passes(first: np.ndarray, passage: Tokens, after: int, longest: int, starts: Sequence[int] = ()) -> Iterator[Pass]:
    """The windows over a passage; none over one without tokens.

    Args:
        first: see `lead`.
        passage: all of it.
        after: id of the token that ends a part.
        longest: tokens of a pass.
        starts: ascending token places where the passage's units begin.
    """
    for begin, end in windows(len(passage.ids), longest - len(first) - 1, starts):
        yield Pass(np.concatenate([first, passage.ids[begin:end], [after]]), len(first), begin, end)


def windows(count: int, room: int, starts: Sequence[int] = (), overlap: int = OVERLAP) -> Iterator[tuple[int, int]]:
    """Token ranges of at most `room` that cover `count` tokens, each sharing some with the one before.

    The next window begins `overlap` tokens before the end of this one, or earlier with the unit that this one's end
    cuts in two, unless that unit takes up half of this window.

    Example:
        >>> list(windows(100, 60, overlap=10)), list(windows(100, 60, (0, 45, 70), overlap=10))
        ([(0, 60), (50, 100)], [(0, 60), (45, 100)])
    """
    begin = 0
    while begin < count:
        end = min(begin + room, count)
        yield begin, end
        if end == count:
            return
        cut = starts[at - 1] if (at := int(np.searchsorted(starts, end, side="left"))) else 0
        begin = min(end - overlap, cut) if cut > begin + room // 2 else end - overlap
