"""Answers as stretches of a passage: the likeliest pairs of a first and a last token."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Two candidates in one sentence make the run from the first to the second score as high as either, so length has its
# price. On questions of the dev part this one raised F1 by one to two points; twice or half of it, by less.
_PRICE = 0.3


@dataclass(frozen=True, slots=True)
class Borders:
    """A run of tokens, and how much likelier it is than no answer at all (difference of logits)."""

    first: int
    last: int
    score: float


def answers(
    start: np.ndarray, end: np.ndarray, inside: np.ndarray, *, longest: int = 30, count: int = 5
) -> list[Borders]:
    """The best answers of one pair, best first, none overlapping a better one.

    A stretch scores start[first] + end[last]; what the model gives to "no answer" (place 0) is taken off, so that 0
    means as likely as not before calibration (the SQuAD 2.0 rule of Devlin et al., 2019, arXiv:1810.04805). Of more
    than one token it scores less by 0.3 times the logarithm of their number.

    Args:
        start: logits [tokens] of being an answer's first token.
        end: logits [tokens] of being its last.
        inside: the passage's token places, ascending and without a gap.
        longest: most tokens of an answer.
        count: most answers.

    Example:
        >>> start, end = np.array([0.0, 5, 1, 1]), np.array([0.0, 1, 4, 1])
        >>> [(s.first, s.last, round(s.score, 2)) for s in answers(start, end, np.array([1, 2, 3]))][0]
        (1, 2, 8.79)
    """
    if not len(inside):
        return []
    first = int(inside[0])
    left, right = start[inside], end[inside]
    size, width = len(left), min(longest, len(left))
    sums = np.full((width, size), -np.inf)
    for step in range(width):
        sums[step, : size - step] = left[: size - step] + right[step:] - _PRICE * np.log1p(step)
    null = float(start[0] + end[0])
    best: list[Borders] = []
    # Few of the best overlap nothing better; some hundred are enough to look at.
    flat = np.argsort(-sums, axis=None, kind="stable")[: 100 * count]
    for place in flat:
        step, begin = divmod(int(place), size)
        if not np.isfinite(sums[step, begin]) or len(best) == count:
            break
        if all(begin + step < s.first - first or begin > s.last - first for s in best):
            best.append(Borders(first + begin, first + begin + step, float(sums[step, begin]) - null))
    return best
