"""Fits the computation allocation model: what its columns are, and which of them the runs can tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypedDict

import numpy as np

from ragctx.agents.least_squares import Array, costs, independent, least_squares
from ragctx.agents.runs import Gains, Run, Setting, logs, parts
from ragctx.errors import ConfigError

FACTORS: Final = ("documents", "shots", "iterations")
# Scores are cut to this range first: the inverse sigmoid of 0 and 1 has no end.
_LOW, _HIGH = 0.01, 0.99
# What one document and one demonstration are worth is measured against reading nothing at all.
_NOTHING, _DOCUMENT, _SHOT = Setting(0), Setting(1), Setting(0, 1)


class Learnt(TypedDict):
    """The fields of an `Allocation`."""

    a: tuple[float, float, float]
    b: tuple[float, float, float]
    c: float
    tried: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    gains: Gains
    costs: tuple[float, ...]
    r2: float
    error: float
    runs: int
    notes: tuple[str, ...]


def learnt(runs: Sequence[Run], gains: Gains | None) -> Learnt:
    """The model of one reader's runs; see `Allocation.fit`."""
    tried = _tried(runs)
    varied = [number for number, values in enumerate(tried) if len(values) > 1]
    _must_tell(runs, varied)
    known, notes = _known(runs, gains)
    columns = _columns(runs, known)
    used = [*varied, *_informed(columns, varied, len(runs)), columns.shape[1] - 1]
    fit = least_squares(columns[:, used], _raised([run.score for run in runs]))
    weights = np.zeros(columns.shape[1])
    weights[used] = fit.weights
    a, b, c = weights[:3].tolist(), weights[3:5].tolist(), float(weights[5])
    fixed = [f"{FACTORS[i]} was {tried[i][0]} in every run" for i in range(3) if i not in varied]
    unsplit = () if any(i in used for i in (3, 4)) else ("the gains of the data sets were not told apart: b is zero",)
    return Learnt(
        a=(a[0], a[1], a[2]), b=(b[0], b[1], 0.0), c=c, tried=tried, gains=known, costs=_costs(runs),
        r2=fit.r2, error=fit.error, runs=len(runs), notes=(*fixed, *notes, *unsplit),
    )  # fmt: skip


def _tried(runs: Sequence[Run]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    documents, shots, iterations = ({run.setting[i] for run in runs} for i in range(3))
    return tuple(sorted(documents)), tuple(sorted(shots)), tuple(sorted(iterations))


def _must_tell(runs: Sequence[Run], varied: Sequence[int]) -> None:
    """Refuse runs that no model can be learnt from.

    Raises:
        ConfigError: too few, all alike, or factors that always change together.
    """
    needs = len(varied) + 2
    if len(runs) < max(needs, 3):
        raise ConfigError(f"{len(runs)} runs are too few: {max(needs, 3)} at least, and some fifty for a good model")
    if not varied:
        raise ConfigError(f"every run is of {tuple(runs[0].setting)}: vary documents, shots or iterations")
    if len({run.score for run in runs}) == 1:
        raise ConfigError(f"every run scored {runs[0].score}: nothing can be learnt, take harder or easier questions")
    plain = np.array([[*(logs(run.setting)[i] for i in varied), 1.0] for run in runs])
    if not independent(plain):
        names = " and ".join(FACTORS[i] for i in varied)
        raise ConfigError(f"{names} always change together in these runs: add runs that change one of them alone")


def _known(runs: Sequence[Run], gains: Gains | None) -> tuple[Gains, tuple[str, ...]]:
    """The gains of every data set, given or measured; none, and a note, where some cannot be known.

    Raises:
        ConfigError: gains were given, and those of a data set are missing.
    """
    names = dict.fromkeys(run.data for run in runs)
    if gains is not None:
        missing = [name for name in names if name not in gains]
        if missing:
            raise ConfigError(f"gains are missing for {', '.join(map(repr, missing))}: give them, or gains=None")
        return {name: gains[name] for name in names}, ()
    found = {name: _measured([run for run in runs if run.data == name]) for name in names}
    lacking = [name for name, gain in found.items() if gain is None]
    if lacking:
        told = f"no gains for {', '.join(name or 'the runs' for name in lacking)}: they need the runs (0, 0, 1), "
        return {}, (f"{told}(1, 0, 1) and, where shots vary, (0, 1, 1)",)
    return {name: gain for name, gain in found.items() if gain is not None}, ()


def _measured(runs: Sequence[Run]) -> tuple[float, float] | None:
    scores = {s: [run.score for run in runs if run.setting == s] for s in (_NOTHING, _DOCUMENT, _SHOT)}
    mean = {setting: sum(found) / len(found) for setting, found in scores.items() if found}
    if _NOTHING not in mean or _DOCUMENT not in mean:
        return None
    if _SHOT not in mean and any(run.shots for run in runs):
        return None
    return mean[_DOCUMENT] - mean[_NOTHING], mean.get(_SHOT, mean[_NOTHING]) - mean[_NOTHING]


def _columns(runs: Sequence[Run], known: Gains) -> Array:
    """Three logarithms, two of them times the data set's gain, and one constant: shape (runs, 6)."""
    rows = []
    for run in runs:
        (k, m, n), (document, shot) = logs(run.setting), known.get(run.data, (0.0, 0.0))
        rows.append([k, m, n, document * k, shot * m, 1.0])
    return np.array(rows)


def _informed(columns: Array, varied: Sequence[int], runs: int) -> list[int]:
    """The columns with gains that the runs tell apart from those without."""
    used: list[int] = []
    for plain, informed in ((0, 3), (1, 4)):
        wanted = [*varied, *used, informed, 5]
        if plain in varied and runs > len(wanted) and independent(columns[:, wanted]):
            used.append(informed)
    return used


def _raised(scores: Sequence[float]) -> Array:
    """The inverse sigmoid of scores."""
    cut = np.clip(np.array(scores, dtype=np.float64), _LOW, _HIGH)
    return np.asarray(np.log(cut / (1 - cut)))


def _costs(runs: Sequence[Run]) -> tuple[float, ...]:
    counted = [run for run in runs if run.tokens is not None]
    if not counted:
        return ()
    tokens = np.array([run.tokens for run in counted], dtype=np.float64)
    return tuple(costs(np.array([parts(run.setting) for run in counted]), tokens).tolist())
