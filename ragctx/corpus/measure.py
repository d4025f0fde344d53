"""Sizes of the stretches of one text, each told in constant time: a syntax tree asks for thousands of them."""

from __future__ import annotations

import sys
from bisect import bisect_right

import numpy as np
import numpy.typing as npt

_BLANKS = np.array([code for code in range(0x3001) if chr(code).isspace()], dtype=np.uint32)
# As in `chunks.py`: Han, kana, hangul and the wide forms, first and last of each range.
_WIDE = (
    (0x1100, 0x11FF), (0x2E80, 0x9FFF), (0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF),
)  # fmt: skip
# Visible characters that weigh as much as a word: a model's tokens of code are short, and few stand between spaces.
_WORD = 5


class Measure:
    """Prefix sums over a text.

    Attributes:
        text: the text.

    Example:
        >>> measure = Measure("total = sum(values)")
        >>> measure.words(0, 7), measure.words(0, 19), measure.reach(0, 2, 19)
        (2, 4, 8)
    """

    def __init__(self, text: str) -> None:
        self.text = text
        order = "utf-32-le" if sys.byteorder == "little" else "utf-32-be"
        codes = np.frombuffer(text.encode(order, "surrogatepass"), dtype=np.uint32)
        seen = ~np.isin(codes, _BLANKS)
        wide = np.zeros(len(codes), dtype=bool)
        for first, last in _WIDE:
            wide |= (codes >= first) & (codes <= last)
        wide &= seen
        self._visible = np.flatnonzero(seen).astype(np.int32)
        self._seen, self._wide = _sums(seen), _sums(wide)
        self._begun = _sums(seen & ~np.concatenate([[False], seen[:-1]]))
        self._lines = _sums(codes == ord("\n"))

    def words(self, start: int, end: int) -> int:
        """How much a stretch weighs: words between spaces, or a fifth of its visible characters where that is more.

        A wide character weighs two thirds of a word, as elsewhere. 0 exactly where nothing is visible.
        """
        wide = int(self._wide[end] - self._wide[start])
        narrow = int(self._seen[end] - self._seen[start]) - wide
        begun = int(self._begun[end] - self._begun[start]) + self._inside(start)
        return -(-max(begun * _WORD, narrow) // _WORD) * (narrow > 0) - (-wide * 2 // 3)

    def _inside(self, at: int) -> bool:
        """Whether a place lies within a word, so that what begins there begins with a part of one."""
        seen = self._seen
        return 0 < at < len(self.text) and bool(seen[at + 1] > seen[at] > seen[at - 1])

    def reach(self, start: int, limit: int, end: int) -> int:
        """The furthest place up to `end` that a stretch of at most `limit` words reaches; one character at least."""
        far = start + bisect_right(range(start, end + 1), limit, key=lambda at: self.words(start, at)) - 1
        return max(far, start + 1)

    def gap(self, at: int) -> int:
        """Line breaks between a place and the visible character before it: 0 on one line, 2 over a blank line."""
        before = int(self._seen[at])
        return int(self._lines[at] - (self._lines[self._visible[before - 1]] if before else -1))

    def trimmed(self, start: int, end: int) -> tuple[int, int]:
        """A stretch with something visible in it, from its first visible character to its last."""
        return int(self._visible[self._seen[start]]), int(self._visible[self._seen[end] - 1]) + 1


def _sums(marks: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """For every place how many marks stand before it, shape (characters + 1,)."""
    sums = np.zeros(len(marks) + 1, dtype=np.int32)
    np.cumsum(marks, out=sums[1:])
    return sums
