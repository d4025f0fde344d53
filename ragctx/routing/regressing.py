"""Fits one strategy's regressor and its calibration; all that is chosen is judged on rows left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ragctx.routing.lines import Points
from ragctx.routing.predictors import Regressor

if TYPE_CHECKING:
    import numpy as np

_PENALTIES = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10_000.0, 100_000.0)
_ROWS_A_POINT = 15
_MOST_POINTS = 20


def line_of(
    near: np.ndarray, cold: np.ndarray, scores: Sequence[float], split: Sequence[Sequence[int]]
) -> tuple[Regressor, list[float]]:
    """The uncalibrated regressor of one strategy, and what it says of each part when it is fitted without that.

    The penalty is the one that does best on parts left out: readers share a question's signals, so leaving out single
    rows would find hardly any penalty too small.
    """
    import numpy as np

    as_it_is: Points = ((0.0, 0.0), (1.0, 1.0))
    got = np.array(scores, dtype=float)
    if len(got) < 2:
        return Regressor(0.0, 1.0, (0.0,) * near.shape[1], as_it_is), [min(1.0, max(0.0, one)) for one in cold]
    # The cold start's figure is on the scale of scores: spread as the signals are, so that one penalty suits both.
    spread, middle = max(float(cold.std()), 1e-6), float(cold.mean())
    values = np.hstack([near, (cold[:, None] - middle) / spread])
    said = {penalty: np.zeros(len(got)) for penalty in _PENALTIES}
    for part in split:
        train = np.setdiff1d(np.arange(len(got)), part)
        for penalty, (start, weights) in _ridges(values[train], got[train]).items():
            said[penalty][list(part)] = start + values[list(part)] @ weights
    best = min(_PENALTIES, key=lambda penalty: float(((said[penalty] - got) ** 2).sum()))
    start, found = _ridges(values, got)[best]
    *ours, on_table = map(float, found)
    scaled = on_table / spread if spread > 1e-5 else 0.0
    line = Regressor(start - scaled * middle, scaled, tuple(ours), as_it_is)
    return line, np.clip(said[best], 0.0, 1.0).tolist()


def _ridges(values: np.ndarray, scores: np.ndarray) -> dict[float, tuple[float, np.ndarray]]:
    """Intercept and weights at every penalty; no rows have nothing to tell."""
    import numpy as np

    if not len(scores):
        return {penalty: (0.0, np.zeros(values.shape[1])) for penalty in _PENALTIES}
    centre, mean = values.mean(0), float(scores.mean())
    moved = values - centre
    gram, toward = moved.T @ moved, moved.T @ (scores - mean)
    eye = np.eye(len(gram))
    weights = {penalty: np.linalg.solve(gram + penalty * eye, toward) for penalty in _PENALTIES}
    return {penalty: (mean - float(centre @ w), w) for penalty, w in weights.items()}


def isotonic(pairs: np.ndarray) -> Points:
    """Raw value to score by isotonic regression over bins of rows: single ones would be learnt by heart."""
    import numpy as np
    from sklearn.isotonic import IsotonicRegression

    ordered = pairs[np.argsort(pairs[:, 0], kind="stable")]
    least = 2 if len(ordered) >= _ROWS_A_POINT else 1
    bins = np.array_split(ordered, max(least, min(_MOST_POINTS, len(ordered) // _ROWS_A_POINT)))
    at, score, many = (np.array(v) for v in zip(*((b[:, 0].mean(), b[:, 1].mean(), len(b)) for b in bins), strict=True))
    fitted = IsotonicRegression(y_min=0.0, y_max=1.0).fit_transform(at, score, sample_weight=many)
    points: list[tuple[float, float]] = []
    for x, y in zip(map(float, at), map(float, fitted), strict=True):
        if not points or x > points[-1][0] + 1e-9:
            points.append((x, min(1.0, max(0.0, y))))
    return tuple(points)
