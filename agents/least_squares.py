"""Two small fits: weights by least squares with what they explain, and token costs that are never negative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights of the columns, and how well they explain what was measured.

    Attributes:
        r2: share of the variance explained, 1 at best.
        error: root of the mean squared error of each row as the others predict it (leave-one-out).
    """

    weights: Array
    r2: float
    error: float


def independent(columns: Array) -> bool:
    """Whether no column can be made from the others.

    Example:
        >>> independent(np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]))
        False
    """
    spread = np.linalg.norm(columns, axis=0)
    return bool((spread > 0).all()) and int(np.linalg.matrix_rank(columns / spread)) == columns.shape[1]


def least_squares(columns: Array, target: Array) -> Fitted:
    """The weights with the least squared error.

    Args:
        columns: shape (rows, columns), independent, with more rows than columns; one of them may be constant.
        target: shape (rows,), not all the same.

    Example:
        >>> fitted = least_squares(np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), np.array([1.0, 3.0, 5.0]))
        >>> [round(float(weight), 6) for weight in fitted.weights], round(fitted.r2, 6)
        ([1.0, 2.0], 1.0)
    """
    solved, *_ = np.linalg.lstsq(columns, target, rcond=None)
    weights = np.asarray(solved, dtype=np.float64)
    wrong = target - columns @ weights
    # A row that alone decides a weight (leverage 1) is always met; it says nothing about the error.
    leverage = np.einsum("ij,ji->i", columns, np.linalg.pinv(columns))
    free = leverage < 1 - 1e-9
    left_out = wrong[free] / (1 - leverage[free])
    error = float(np.sqrt(np.mean(left_out**2))) if free.any() else 0.0
    return Fitted(weights, 1 - float(wrong @ wrong) / float(np.sum((target - target.mean()) ** 2)), error)


def costs(columns: Array, tokens: Array) -> Array:
    """Weights that are not negative, with the least squared relative error.

    Every set of columns that may carry weight is tried, so there must be few.

    Args:
        columns: shape (rows, columns), none of them negative.
        tokens: shape (rows,), above zero.

    Example:
        >>> [round(float(w), 3) for w in costs(np.array([[1.0, 1.0], [1.0, 3.0]]), np.array([110.0, 130.0]))]
        [100.0, 10.0]
    """
    relative, ones = columns / tokens[:, None], np.ones(len(tokens))
    best, least = np.zeros(columns.shape[1]), float("inf")
    for chosen in _subsets(columns.shape[1]):
        some, *_ = np.linalg.lstsq(relative[:, chosen], ones, rcond=None)
        wrong = float(np.sum((relative[:, chosen] @ some - 1) ** 2))
        # Fewer columns come first: more of them must explain more than rounding does.
        if (some >= 0).all() and wrong < least - 1e-9:
            best, least = np.zeros(columns.shape[1]), wrong
            best[chosen] = some
    return best


def _subsets(count: int) -> list[Sequence[int]]:
    return [list(chosen) for size in range(1, count + 1) for chosen in combinations(range(count), size)]
