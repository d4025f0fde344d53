"""Fits predictors from an outcome table: signals, kind, reader and each strategy's score of every row.

scikit-learn is imported here and only when something is fitted; what comes out is plain numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ragctx.errors import InputError, MissingExtra
from ragctx.routing.predictors import MEAN, Predictors


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question read by one reader: the score of every strategy, 0 to 1."""

    question: str
    kind: str
    reader: str
    signals: Mapping[str, float]
    scores: Mapping[str, float]


def fit(rows: Sequence[Outcome], names: Sequence[str], *, shrink: float = 8.0, strength: float = 0.5) -> Predictors:
    """Kinds from signals by a multinomial logistic, scores by reader and kind shrunk towards all readers' mean.

    Args:
        rows: a question counts once for the kinds, however many readers read it.
        names: signals that are used.
        shrink: a reader's mean counts as much as the mean of all readers at so many questions.
        strength: inverse of the logistic's penalty.

    Raises:
        InputError: no rows, one kind only, strategies that differ or a score out of range; the row is named.
        MissingExtra: scikit-learn is not installed.
    """
    arms = _checked(rows)
    try:
        import numpy as np
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise MissingExtra("fitting a policy", "training", "scikit-learn") from error
    once = list({row.question: row for row in rows}.values())
    values = np.array([[row.signals.get(name, 0.0) for name in names] for row in once], dtype=float)
    centres, scales = values.mean(0), np.maximum(values.std(0), 1e-6)
    model = LogisticRegression(C=strength, max_iter=500)
    model.fit((values - centres) / scales, [row.kind for row in once])
    kinds = tuple(str(kind) for kind in model.classes_)
    weights, starts = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
    if len(kinds) == 2:  # the library then keeps one row, of the second kind against the first
        weights, starts = np.vstack([-weights / 2, weights / 2]), np.concatenate([-starts / 2, starts / 2])
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


def _table(
    rows: Sequence[Outcome], arms: Sequence[str], kinds: Sequence[str], shrink: float
) -> dict[str, dict[str, tuple[float, ...]]]:
    sums: dict[tuple[str, str, str], tuple[float, int]] = {}
    for row in rows:
        for arm in arms:
            for reader in (MEAN, row.reader):
                total, count = sums.get((reader, arm, row.kind), (0.0, 0))
                sums[reader, arm, row.kind] = (total + row.scores[arm], count + 1)

    def cell(reader: str, arm: str, kind: str) -> float:
        everyone, of = sums[MEAN, arm, kind]
        total, count = (0.0, 0) if reader == MEAN else sums.get((reader, arm, kind), (0.0, 0))
        return min(1.0, (total + shrink * everyone / of) / (count + shrink))

    readers = (MEAN, *sorted({row.reader for row in rows}))
    return {reader: {arm: tuple(cell(reader, arm, kind) for kind in kinds) for arm in arms} for reader in readers}


def _checked(rows: Sequence[Outcome]) -> tuple[str, ...]:
    if not rows:
        raise InputError("there is no row to fit from: give questions with the score of every strategy")
    arms = tuple(sorted(rows[0].scores))
    for number, row in enumerate(rows, 1):
        if tuple(sorted(row.scores)) != arms:
            raise InputError(
                f"row {number} ({row.question}): has scores of {sorted(row.scores)}, row 1 of {list(arms)}"
            )
        wrong = [arm for arm, score in row.scores.items() if not 0 <= score <= 1]
        if wrong:
            raise InputError(f"row {number} ({row.question}): the score of {wrong[0]} must be from 0 to 1")
    if len({row.kind for row in rows}) < 2:
        raise InputError(f"all rows are of the kind {rows[0].kind!r}: at least two kinds are needed")
    return arms
