"""Predictors over many questions at once, for fitting and measuring: the same figures, from matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ragctx.routing.predictors import FARTHEST, MEAN, Predictors
from ragctx.routing.wording import SAID

if TYPE_CHECKING:
    import numpy as np


class Seen(NamedTuple):
    """Rows as regressors take them.

    Attributes:
        near: standardised signals, (rows, signals). cold: strategy -> the cold start's figure of every row.
    """

    near: np.ndarray
    cold: dict[str, np.ndarray]


def matrix(signals: Sequence[Mapping[str, float]], names: Sequence[str]) -> np.ndarray:
    """One row a question, one column a signal, NaN where it is not known; what several readers share is read once."""
    import numpy as np

    place: dict[int, int] = {}
    rows = [place.setdefault(id(row), len(place)) for row in signals]
    once = {id(row): row for row in signals}
    columns = [(name, 0.0 if name.startswith(SAID) else np.nan) for name in names]
    values = [[once[key].get(name, unknown) for name, unknown in columns] for key in place]
    return np.array(values, dtype=float).reshape(len(place), len(names))[rows]


def seen(fitted: Predictors, signals: Sequence[Mapping[str, float]], readers: Sequence[str]) -> Seen:
    """What `Predictors.near` and `Predictors.cold` say of every row."""
    import numpy as np

    values = matrix(signals, fitted.signals)
    centres, scales = np.array(fitted.centres), np.array(fitted.scales)
    standard = (np.where(np.isnan(values), centres, values) - centres) / scales
    logits = standard @ np.array(fitted.weights).reshape(len(fitted.kinds), -1).T + np.array(fitted.intercepts)
    shares = np.exp(logits - logits.max(1, keepdims=True))
    likely = shares / shares.sum(1, keepdims=True)
    names = sorted(fitted.table)
    place = {name: at for at, name in enumerate(names)}
    row = np.array([place.get(reader, place[MEAN]) for reader in readers], int)
    cold = {
        arm: (likely * np.array([fitted.table[name].get(arm, fitted.table[MEAN][arm]) for name in names])[row]).sum(1)
        for arm in fitted.table[MEAN]
    }
    return Seen(np.clip(standard, -FARTHEST, FARTHEST), cold)


def scores(fitted: Predictors, signals: Sequence[Mapping[str, float]], readers: Sequence[str]) -> dict[str, np.ndarray]:
    """What `Predictors.scores` says of every row, by strategy.

    Example:
        >>> table = {MEAN: {"full": (0.5, 0.75)}}
        >>> fitted = Predictors(("words",), (8.0,), (4.0,), ("fact", "list"), (0.0, 0.0), ((-9.0,), (9.0,)), table)
        >>> scores(fitted, [{"words": 20.0}, {}], ["m", "m"])["full"].round(3).tolist()
        [0.75, 0.625]
    """
    import numpy as np

    near, said = seen(fitted, signals, readers)
    measured = np.array([reader in fitted.table for reader in readers], bool)
    for arm, regressor in fitted.regressors.items():
        raw = regressor.intercept + regressor.cold * said[arm] + near @ np.array(regressor.weights)
        at, score = zip(*regressor.points, strict=True)
        said[arm] = np.where(measured, np.interp(raw, at, score), said[arm])
    return said
