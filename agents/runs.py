"""Settings of how much is read, and what they were measured to reach."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ragctx.errors import ConfigError

Gains = Mapping[str, tuple[float, float]]
"""For each data set what the first document and the first demonstration add to the score."""


class Setting(NamedTuple):
    """Documents found for each search, demonstrations shown, and rounds of sub-questions (1: all in one call)."""

    documents: int
    shots: int = 0
    iterations: int = 1


@dataclass(frozen=True, slots=True)
class Run:
    """What one setting reached on one set of questions.

    Attributes:
        score: mean over the questions, 0 to 1.
        tokens: mean prompt tokens a question over all its calls; None where nobody counted.
        data: name of the set of questions.

    Raises:
        ConfigError: a number is out of its range.
    """

    documents: int
    shots: int
    iterations: int
    score: float
    tokens: float | None = None
    data: str = ""

    def __post_init__(self) -> None:
        if min(self.documents, self.shots) < 0 or self.iterations < 1:
            raise ConfigError(f"{self} is no run: documents and shots are at least 0, iterations at least 1")
        if not 0 <= self.score <= 1:
            raise ConfigError(f"{self} is no run: give the score as a share from 0 to 1")
        if self.tokens is not None and not 0 < self.tokens < float("inf"):
            raise ConfigError(f"{self} is no run: give its mean tokens above 0, or None")

    @property
    def setting(self) -> Setting:
        """What was read."""
        return Setting(self.documents, self.shots, self.iterations)


def logs(setting: Setting) -> tuple[float, float, float]:
    """The logarithms that scores are linear in; documents and shots may be none.

    Example:
        >>> logs(Setting(0, 0, 1))
        (0.0, 0.0, 0.0)
    """
    return math.log1p(setting.documents), math.log1p(setting.shots), math.log(setting.iterations)


def parts(setting: Setting) -> tuple[float, ...]:
    """What the tokens of a setting are made of.

    Rounds, the documents found in each, those that every later round reads again, the demonstrations shown in each, and
    the documents that those bring.

    Example:
        >>> parts(Setting(5, 2, 3))
        (3.0, 15.0, 45.0, 6.0, 30.0)
    """
    k, m, n = setting
    return float(n), float(n * k), float(n * n * k), float(n * m), float(n * m * k)
