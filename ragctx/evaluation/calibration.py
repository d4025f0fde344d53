"""Fits a policy to an outcome matrix, and says how sure it is that it beats using one strategy for everything.

Every figure is out of fold: documents are drawn into five parts, and each part's questions are routed by a fit on the
other four. Where the gain over the best single strategy is not above zero for certain (95 % interval, documents drawn),
the policy keeps each strategy's mean score and no signals: it then is that single strategy, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ragctx.errors import ConfigError, InputError
from ragctx.evaluation.bootstrap import Comparison
from ragctx.evaluation.frontier import calibration, calibration_error
from ragctx.evaluation.outcomes import Asked, Matrix
from ragctx.evaluation.trial import FOLDS, Arm, Trial, corrections_of, crossed
from ragctx.routing import Policy
from ragctx.routing.fitted import Fitted, Origin
from ragctx.routing.fitting import fit_calibrated, fit_fixed, telling

LEAST = 24
"""Questions below which nothing is fitted."""
MANY = 200
"""Questions from which the report no longer says that they are few."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a fit found, and the policy.

    Attributes:
        arms: strategies, best first by worth. routed: the router out of fold. oracle: the best strategy of each row.
        gain: of the router's worth over the best strategy's. score_gain: of its score.
        error: expected calibration error of predicted scores, out of fold. routes: the policy uses signals.
        verdict: all that in words. notes: what limits it.
    """

    questions: int
    groups: int
    readers: tuple[str, ...]
    lam: float
    arms: tuple[Arm, ...]
    routed: Arm
    oracle: Arm
    gain: Comparison
    score_gain: Comparison
    error: float
    routes: bool
    verdict: str
    notes: tuple[str, ...]
    fitted: Fitted

    def _repr_html_(self) -> str:
        from importlib import import_module

        # By name: the view stands on a higher floor, and only a notebook ever asks for it.
        html: str = import_module("ragctx.views.calibrations").html(self)
        return html


def calibrate(
    matrix: Matrix,
    base: Policy | None = None,
    *,
    lam: float | None = None,
    floor: float = 0.0,
    seed: int = 0,
    data: Sequence[str] = (),
    date: str = "",
    command: str = "",
    base_file: str = "",
) -> Calibration:
    """Fits, measures out of fold, and makes the policy.

    Args:
        matrix: at least `LEAST` questions by at least two strategies.
        base: the policy whose signals, margin and unit of cost hold; the built-in one when not given.
        lam: weight of cost; the base policy's when not given.
        floor: strategies predicted below it are out where another one reaches it, 0 to 1.
        seed: of the parts that documents are drawn into.
        data: what was asked; kept in the policy file, as are the next two.
        date: ISO.
        command: that made it.
        base_file: where the base policy is, if it is not the built-in one.

    Raises:
        InputError: too few questions, or a row that cannot be used. ConfigError: one strategy only, or weights out of
            range. MissingExtra: scikit-learn is not installed.
    """
    base = base or Policy.load()
    lam = base.lam if lam is None else lam
    _must_do(matrix.checked(), lam, floor)
    groups = len({row.group or row.question for row in matrix.rows})
    # So few documents cannot be drawn into parts twice over: then each question stands for itself.
    rows = tuple(replace(row, group="") for row in matrix.rows) if groups < FOLDS else matrix.rows
    outcomes = [row.outcome for row in rows]
    corrections = corrections_of(matrix)
    said = crossed(outcomes, lambda some: fit_calibrated(some, telling(some), seed=seed), seed)
    trial = Trial(rows, corrections, base, lam, floor)
    arms = tuple(sorted((trial.arm(n, [n] * len(rows)) for n in matrix.strategies), key=lambda a: -a.worth))
    taken = trial.choices(said)
    best = [arms[0].name] * len(rows)
    gain, score_gain = trial.compared(taken, best), trial.compared(taken, best, lam=0.0)
    routes = gain.low > 0
    predictors = fit_calibrated(outcomes, telling(outcomes), seed=seed) if routes else fit_fixed(outcomes)
    questions = len({row.question for row in rows})
    verdict = _verdict(gain, arms[0].name, questions, routes=routes)
    origin = Origin(
        len(rows), questions, groups, matrix.readers, tuple(data), date, seed, command, verdict
    )  # fmt: skip
    fitted = Fitted(base.digest, predictors, corrections, lam, floor, origin, base_file)
    error = calibration_error(calibration(*_pairs(rows, said)))
    notes = tuple(_notes(questions, groups))
    oracle = trial.arm("best of each", trial.oracle())
    routed = trial.arm("router", taken)
    return Calibration(
        questions, groups, matrix.readers, lam, arms, routed, oracle, gain, score_gain, error, routes, verdict, notes,
        fitted,
    )  # fmt: skip


def _must_do(matrix: Matrix, lam: float, floor: float) -> None:
    if lam < 0 or not 0 <= floor <= 1:
        raise ConfigError(f"lambda {lam} and floor {floor}: give a lambda from 0 up and a floor from 0 to 1")
    if len(matrix.strategies) < 2:
        raise ConfigError(
            f"only {', '.join(matrix.strategies) or 'nothing'} could read: name two strategies or more to choose among"
        )
    questions = len({row.question for row in matrix.rows})
    if questions < LEAST:
        raise InputError(
            f"{questions} questions are too few to fit anything: at least {LEAST} are needed, a hundred or more do "
            "better; label more questions and run it again, those that were asked are kept"
        )


def _pairs(rows: Sequence[Asked], said: Sequence[dict[str, float]]) -> tuple[list[float], list[float]]:
    pairs = [(told[n], cell.score) for row, told in zip(rows, said, strict=True) for n, cell in row.cells.items()]
    return [one for one, _ in pairs], [score for _, score in pairs]


def _verdict(gain: Comparison, best: str, questions: int, *, routes: bool) -> str:
    found = f"{100 * gain.difference:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"
    few = f"; {questions} questions are few, the interval is wide" if questions < MANY else ""
    if routes:
        return f"routing by signals is worth {found} over {best} alone, out of fold{few}"
    doubt = "so signals mislead here" if gain.high < 0 else "which may be luck"
    return (
        f"routing by signals is worth {found} over {best} alone, {doubt}: the policy keeps mean scores and uses no "
        f"signals{few}"
    )


def _notes(questions: int, groups: int) -> list[str]:
    notes = []
    if questions < MANY:
        notes.append(f"{questions} questions: from {MANY} on, intervals are narrow enough to tell strategies apart")
    if groups < FOLDS:
        notes.append(f"all questions are about {groups} documents: the figures say nothing of others")
    elif groups < 4 * FOLDS:
        notes.append(f"questions are about {groups} documents: little is known of how it does on others")
    return notes
