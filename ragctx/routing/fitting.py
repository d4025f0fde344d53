"""Fits predictors from an outcome table: signals, kind, reader and each strategy's score of every row.

scikit-learn is imported here and only when something is fitted; what comes out is plain numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from ragctx.errors import InputError, MissingExtra
from ragctx.routing.many import Seen, matrix, seen
from ragctx.routing.predictors import MEAN, Predictors
from ragctx.routing.regressing import isotonic, line_of
from ragctx.routing.wording import SAID

if TYPE_CHECKING:
    import numpy as np

P = ParamSpec("P")
T = TypeVar("T")
_SAID_BY, _SAID_IN = 5, 50
_SHARED = 5.0
"""Inverse of the penalty on kinds, shared by all signals: the more there are, the more each is held back."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question read by one reader: the score of every strategy, 0 to 1.

    Attributes:
        group: its document, whose questions stay together when data are split; the question itself where empty.
    """

    question: str
    kind: str
    reader: str
    signals: Mapping[str, float]
    scores: Mapping[str, float]
    group: str = ""


def fit(rows: Sequence[Outcome], names: Sequence[str], *, shrink: float = 8.0, strength: float = 0.5) -> Predictors:
    """The cold start: kinds from signals by a multinomial logistic, scores by reader and kind shrunk towards the mean.

    Args:
        rows: a question counts once for the kinds, however many readers read it.
        names: signals that are used.
        shrink: a reader's mean counts as much as the mean of all readers at so many questions.
        strength: inverse of the logistic's penalty; with many signals it is less.

    Raises:
        InputError: no rows, one kind only, strategies that differ or a score out of range; the row is named.
        MissingExtra: scikit-learn is not installed.
    """
    arms = _checked(rows)
    if any(set(row.scores) != set(rows[0].scores) for row in rows):
        number, row = next((n, r) for n, r in enumerate(rows, 1) if set(r.scores) != set(rows[0].scores))
        raise InputError(
            f"row {number} ({row.question}): has scores of {sorted(row.scores)}, row 1 of {sorted(rows[0].scores)}"
        )
    if len({row.kind for row in rows}) < 2:
        raise InputError(f"all rows are of the kind {rows[0].kind!r}: at least two kinds are needed")
    return _cold(rows, arms, names, shrink, strength)


def _on_one_thread(fitting: Callable[P, T]) -> Callable[P, T]:
    """These matrices are tiny: threads only wait for each other, on a busy machine a hundred times as long."""

    @wraps(fitting)
    def alone(*args: P.args, **given: P.kwargs) -> T:
        _libraries()  # says what is to be installed
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            return fitting(*args, **given)

    return alone


@_on_one_thread
def fit_calibrated(rows: Sequence[Outcome], names: Sequence[str], *, folds: int = 5, seed: int = 0) -> Predictors:
    """The cold start, and for every strategy a ridge regressor with an isotonic calibration.

    Each row's raw prediction, which the calibration is fitted on, comes from a fit without its group. A row may lack
    strategies (one that did not fit the window has no score); one kind of question is enough.

    Raises:
        InputError: no rows or a score out of range; the row is named. MissingExtra: scikit-learn is not installed.
    """
    import numpy as np

    arms = _checked(rows)
    made, split = _cold(rows, arms, names), parts(rows, folds, seed)
    known = _crossed(rows, arms, made, split)
    lines, held = {}, {}
    for arm in arms:
        have = [at for at, row in enumerate(rows) if arm in row.scores]
        of = {at: place for place, at in enumerate(have)}
        inside = [[of[at] for at in part if at in of] for part in split]
        line, said = line_of(known.near[have], known.cold[arm][have], [rows[at].scores[arm] for at in have], inside)
        lines[arm], held[arm] = line, [(one, rows[at].scores[arm]) for at, one in zip(have, said, strict=True)]
    points = {arm: isotonic(np.array(pairs)) for arm, pairs in held.items() if pairs}
    fitted = replace(made, regressors={arm: replace(lines[arm], points=p) for arm, p in points.items()})
    fitted.check("the fitted policy")
    return fitted


def fit_fixed(rows: Sequence[Outcome]) -> Predictors:
    """Every strategy's mean score whatever the question: what is left where signals tell nothing apart."""
    return _cold([replace(row, kind="any") for row in rows], _checked(rows), ())


def parts(rows: Sequence[Outcome], count: int, seed: int = 0) -> list[list[int]]:
    """Places of the rows in so many parts, groups kept whole; fewer parts where there are fewer groups.

    Example:
        >>> rows = [Outcome(f"q{i}", "fact", "r", {}, {}, group=f"g{i % 2}") for i in range(4)]
        >>> sorted(parts(rows, 5))
        [[0, 2], [1, 3]]
    """
    import numpy as np

    names = sorted({row.group or row.question for row in rows})
    order = np.random.default_rng(seed).permutation(len(names))
    of = {names[name]: place % count for place, name in enumerate(order)}
    split: list[list[int]] = [[] for _ in range(min(count, len(names)))]
    for at, row in enumerate(rows):
        split[of[row.group or row.question]].append(at)
    return split


def telling(rows: Sequence[Outcome]) -> tuple[str, ...]:
    """Signals that half of the questions or more have, and that differ between them, sorted.

    A word must be said, and not said, in five questions at least and in one of fifty. The effective window counts where
    it was measured of one reader at least: a declared one that stands in for it says nothing new, and would mean
    something else as soon as the reader is probed.
    """
    every = list({(row.question, *_windows(row)): row.signals for row in rows}.values())
    values: dict[str, list[float]] = {}
    for signals in every:
        for name, value in signals.items():
            values.setdefault(name, []).append(value)
    measured = any(signals.get("effective_measured") for signals in every)
    least = max(_SAID_BY, len(every) // _SAID_IN)
    said = (n for n, held in values.items() if n.startswith(SAID) and least <= len(held) <= len(every) - least)
    others = (n for n, held in values.items() if len(held) * 2 >= len(every) and len(set(held)) > 1)
    return tuple(sorted({*said, *(n for n in others if measured or not n.startswith("effective_"))}))


def _windows(row: Outcome) -> tuple[float | None, ...]:
    """What signals say of the reader and not of the question."""
    return tuple(row.signals.get(name) for name in ("window", "effective_window", "price_prompt"))


def _cold(
    rows: Sequence[Outcome], arms: Sequence[str], names: Sequence[str], shrink: float = 8.0, strength: float = 0.5
) -> Predictors:
    _, linear, np = _libraries()
    once = list({row.question: row for row in rows}.values())
    values = matrix([row.signals for row in once], names)
    known = ~np.isnan(values)
    centres = np.where(known, values, 0.0).sum(0) / np.maximum(known.sum(0), 1)
    values = np.where(known, values, centres)
    scales = np.maximum(values.std(0), 1e-6)
    kinds, starts, weights = _kinds(linear, (values - centres) / scales, [row.kind for row in once], strength)
    fitted = Predictors(
        tuple(names),
        tuple(map(float, centres)),
        tuple(map(float, scales)),
        kinds,
        tuple(map(float, starts)),
        tuple(tuple(map(float, row)) for row in weights),
        _table(rows, arms, kinds, shrink),
    )
    fitted.check("the fitted policy")
    return fitted


def _kinds(linear: Any, values: np.ndarray, named: list[str], strength: float) -> tuple[tuple[str, ...], Any, Any]:  # noqa: ANN401
    """Kinds, and the logistic's intercepts and weights, one row a kind."""
    import numpy as np

    kinds = tuple(sorted(set(named)))
    if len(kinds) == 1 or not values.shape[1]:
        shares = [named.count(kind) / len(named) for kind in kinds]
        return kinds, np.log(shares), np.zeros((len(kinds), values.shape[1]))
    model = linear.LogisticRegression(C=min(strength, _SHARED / values.shape[1]), max_iter=500).fit(values, named)
    weights, starts = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    if len(kinds) == 2:  # the library then keeps one row, of the second kind against the first
        weights, starts = np.vstack([-weights / 2, weights / 2]), np.concatenate([-starts / 2, starts / 2])
    return tuple(map(str, model.classes_)), starts, weights


def _crossed(rows: Sequence[Outcome], arms: Sequence[str], made: Predictors, split: Sequence[Sequence[int]]) -> Seen:
    """Every row's signals, and the cold start's figures from fits without its part.

    Of its own rows a cold start knows the kinds too well: a regressor would trust it more than it deserves on others.
    """
    import numpy as np

    near, _ = _seen(made, rows)
    cold = {arm: np.zeros(len(rows)) for arm in arms}
    for part in split:
        out = set(part)
        there = _cold([row for at, row in enumerate(rows) if at not in out], arms, made.signals)
        figures = _seen(there, [rows[at] for at in part]).cold
        for arm in arms:
            cold[arm][part] = figures[arm]
    return Seen(near, cold)


def _seen(cold: Predictors, rows: Sequence[Outcome]) -> Seen:
    return seen(cold, [row.signals for row in rows], [row.reader for row in rows])


def _libraries() -> tuple[Any, Any, Any]:
    try:
        import numpy as np
        import sklearn
        from sklearn import linear_model
    except ImportError as error:
        raise MissingExtra("fitting a policy", "calibrate", "scikit-learn") from error
    return sklearn, linear_model, np


def _table(
    rows: Sequence[Outcome], arms: Sequence[str], kinds: Sequence[str], shrink: float
) -> dict[str, dict[str, tuple[float, ...]]]:
    sums: dict[tuple[str, str, str], tuple[float, int]] = {}
    for row in rows:
        for arm, score in row.scores.items():
            for reader in (MEAN, row.reader):
                for kind in (row.kind, ""):  # "": of all kinds, for a kind that an arm never met
                    total, count = sums.get((reader, arm, kind), (0.0, 0))
                    sums[reader, arm, kind] = (total + score, count + 1)

    def cell(reader: str, arm: str, kind: str) -> float:
        everyone, of = sums.get((MEAN, arm, kind)) or sums.get((MEAN, arm, ""), (0.0, 1))
        total, count = (0.0, 0) if reader == MEAN else sums.get((reader, arm, kind), (0.0, 0))
        return min(1.0, (total + shrink * everyone / of) / (count + shrink))

    readers = (MEAN, *sorted({row.reader for row in rows}))
    return {reader: {arm: tuple(cell(reader, arm, kind) for kind in kinds) for arm in arms} for reader in readers}


def _checked(rows: Sequence[Outcome]) -> tuple[str, ...]:
    """The strategies of all rows."""
    if not rows:
        raise InputError("there is no row to fit from: give questions with the score of every strategy")
    for number, row in enumerate(rows, 1):
        wrong = [arm for arm, score in row.scores.items() if not 0 <= score <= 1]
        if wrong:
            raise InputError(f"row {number} ({row.question}): the score of {wrong[0]} must be from 0 to 1")
    return tuple(sorted({arm for row in rows for arm in row.scores}))
