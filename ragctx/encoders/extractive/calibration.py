"""From the model's logits to probabilities that mean what they say (Platt scaling, fitted after training)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

_EDGE = 1e-4
"""How near to 0 and 1 a mean of probabilities is taken at its word; the fit held it so too."""
_FAR = 60.0
NOWHERE = -7.0
"""Log-odds of a stretch that is none: where no likely answer lies within a unit, and the least that any may have."""


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
        keep: weights of the log-odds of a unit's mean keep probability and of the likeliest stretch within it, and the
            offset.
        answer: weights of a stretch's score and of its passage's relevance logit, and the offset.
    """

    relevance: tuple[float, float]
    keep: tuple[float, float, float]
    answer: tuple[float, float, float]

    @classmethod
    def parsed(cls, table: Mapping[str, Any]) -> Calibration:
        """The `calibration` of a card.

        Raises:
            KeyError, TypeError, ValueError: the table has another shape.
        """
        relevance, keep, answer = ([*table["relevance"]], table["keep"], table["answer"])
        kept = [keep[name] for name in ("mean", "stretch", "intercept")]
        answered = [answer[name] for name in ("score", "relevance", "intercept")]
        (a, b), (c, d, e), (f, g, h) = (tuple(map(float, numbers)) for numbers in (relevance, kept, answered))
        if not np.isfinite([a, b, c, d, e, f, g, h]).all():
            raise ValueError("its calibration holds a number that is none")
        return cls((a, b), (c, d, e), (f, g, h))

    def relevant(self, logit: float) -> float:
        """How likely a text answers."""
        slope, offset = self.relevance
        return float(sigmoid(slope * logit + offset))

    def kept(self, means: np.ndarray, stretches: np.ndarray) -> np.ndarray:
        """How likely units are needed, from their means and the log-odds of their likeliest stretches, both [units]."""
        by_mean, by_stretch, offset = self.keep
        held = np.clip(means, _EDGE, 1 - _EDGE)
        needed: np.ndarray = sigmoid(
            by_mean * np.log(held / (1 - held)) + by_stretch * np.maximum(stretches, NOWHERE) + offset
        )
        return needed

    def odds(self, score: float, relevance: float) -> float:
        """Log-odds of a stretch to be the answer, from its score and its passage's relevance logit."""
        by_score, by_relevance, offset = self.answer
        return by_score * score + by_relevance * relevance + offset

    def answers(self, score: float, relevance: float) -> float:
        """The same as a probability."""
        return float(sigmoid(self.odds(score, relevance)))
