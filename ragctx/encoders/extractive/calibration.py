"""From the model's logits to probabilities that mean what they say (Platt scaling, fitted after training)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

_EDGE = 1e-4
"""How near to 0 and 1 a mean of probabilities is taken at its word; the fit held it so too."""
_FAR = 60.0


def sigmoid(logits: Any) -> Any:  # noqa: ANN401 - an array, or a number
    """Log-odds as probabilities, without overflow.

    Example:
        >>> float(sigmoid(0.0)), float(sigmoid(1e9)) <= 1.0
        (0.5, True)
    """
    return 1 / (1 + np.exp(-np.clip(logits, -_FAR, _FAR)))


@dataclass(frozen=True, slots=True)
class Calibration:
    """Slopes and offsets of one model.

    Attributes:
        relevance: slope and offset of the relevance logit.
        keep: of the log-odds of a unit's mean keep probability.
        answer: weights of a stretch's score and of its passage's relevance logit, and the offset.
    """

    relevance: tuple[float, float]
    keep: tuple[float, float]
    answer: tuple[float, float, float]

    @classmethod
    def parsed(cls, table: Mapping[str, Any]) -> Calibration:
        """The `calibration` of a card.

        Raises:
            KeyError, TypeError, ValueError: the table has another shape.
        """
        (a, b), (c, d), answer = table["relevance"], table["keep"], table["answer"]
        numbers = [float(n) for n in (a, b, c, d, answer["score"], answer["relevance"], answer["intercept"])]
        if not np.isfinite(numbers).all():
            raise ValueError("its calibration holds a number that is none")
        return cls((numbers[0], numbers[1]), (numbers[2], numbers[3]), (numbers[4], numbers[5], numbers[6]))

    def relevant(self, logit: float) -> float:
        """How likely a text answers."""
        slope, offset = self.relevance
        return float(sigmoid(slope * logit + offset))

    def kept(self, means: np.ndarray) -> np.ndarray:
        """How likely units are needed, from their means [units]."""
        slope, offset = self.keep
        held = np.clip(means, _EDGE, 1 - _EDGE)
        needed: np.ndarray = sigmoid(slope * np.log(held / (1 - held)) + offset)
        return needed

    def answers(self, score: float, relevance: float) -> float:
        """How likely a stretch is the answer, from its score and its passage's relevance logit."""
        by_score, by_relevance, offset = self.answer
        return float(sigmoid(by_score * score + by_relevance * relevance + offset))
