"""Tells when a model has begun to say the same thing over and over, which small ones do to the end of their room."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST = 64  # tokens of the repeated piece
COPIES = 3  # in a row, of a piece of some length
LEAST = 24  # tokens in all copies together, so that "ha ha ha" and a row of zeros are let through


def period(tokens: Sequence[int]) -> int:
    """Length of the piece that `tokens` end in several copies of; 0 where they do not loop.

    Example:
        >>> period([7, 7, *range(10), *range(10), *range(10)]), period(range(100)), period([5] * 6)
        (10, 0, 0)
    """
    for length in range(1, min(LONGEST, len(tokens) // COPIES) + 1):
        copies = max(COPIES, -(-LEAST // length))
        whole = length * copies
        if len(tokens) < whole or tokens[-1] != tokens[-1 - length]:
            continue
        piece = list(tokens[-length:])
        if list(tokens[-whole:]) == piece * copies:
            return length
    return 0


def surplus(tokens: Sequence[int]) -> int:
    """How many tokens at the end only repeat: all copies of the piece but the first.

    Example:
        >>> surplus([7, 7, *range(10), *range(10), *range(10)])
        20
    """
    length = period(tokens)
    if not length:
        return 0
    start = len(tokens) - length
    while start > 0 and tokens[start - 1] == tokens[start - 1 + length]:
        start -= 1
    return len(tokens) - start - length
