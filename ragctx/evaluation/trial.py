"""What choices among the strategies of an outcome matrix score and cost; no prediction sees its own row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from ragctx.evaluation.bootstrap import Comparison, paired_bootstrap
from ragctx.evaluation.outcomes import Asked, Cell, Matrix
from ragctx.routing import Policy
from ragctx.routing.decide import choose, floored
from ragctx.routing.fitted import Correction
from ragctx.routing.fitting import Outcome, fit_calibrated, parts, telling
from ragctx.routing.predictors import Predictors
from ragctx.types import Candidate, Estimate

RESAMPLES = 2_000
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Arm:
    """Means over all rows; where a strategy could not read, it scored and cost nothing.

    Attributes:
        worth: score minus lambda times the share of reading everything's tokens.
    """

    name: str
    score: float
    tokens: float
    worth: float


@dataclass(frozen=True, slots=True)
class Trial:
    """Rows, and what choices among their strategies are worth."""

    rows: Sequence[Asked]
    corrections: dict[str, Correction]
    base: Policy
    lam: float
    floor: float

    def choices(self, said: Sequence[dict[str, float]]) -> list[str]:
        """What the router takes where each row's strategies are predicted to score so much."""
        return [self._choice(row, scores) for row, scores in zip(self.rows, said, strict=True)]

    def _choice(self, row: Asked, scores: dict[str, float]) -> str:
        whole = row.whole(self.base.unit)
        costs = {name: self._planned(name, cell) / whole for name, cell in row.cells.items()}
        able = [
            Candidate(name, Estimate(), scores[name], cost, scores[name] - self.lam * cost)
            for name, cost in sorted(costs.items())
        ]
        taken = choose(floored(able, self.floor), self.base.margin)
        return taken.strategy if taken else ""

    def _planned(self, name: str, cell: Cell) -> float:
        """Expected tokens as they would have been corrected; where nothing was planned, what such runs cost."""
        if cell.expected is not None:
            return cell.expected * self.corrections[name].tokens
        return fmean(row.cells[name].tokens for row in self.rows if name in row.cells)

    def oracle(self) -> list[str]:
        """The best strategy of each row, known afterwards."""
        return [max(sorted(row.cells), key=lambda name: self._worth(row, name, self.lam)) for row in self.rows]

    def arm(self, name: str, taken: Sequence[str]) -> Arm:
        """What these choices scored and cost."""
        cells = [row.cells.get(one, Cell(0.0, 0.0)) for row, one in zip(self.rows, taken, strict=True)]
        worth = fmean(self._worth(row, one, self.lam) for row, one in zip(self.rows, taken, strict=True))
        return Arm(name, fmean(c.score for c in cells), fmean(c.tokens for c in cells), worth)

    def compared(self, ours: Sequence[str], theirs: Sequence[str], lam: float | None = None) -> Comparison:
        """Worth of some choices against others, documents drawn."""
        weight = self.lam if lam is None else lam
        one, two = ([self._worth(r, n, weight) for r, n in zip(self.rows, s, strict=True)] for s in (ours, theirs))
        groups = [row.group or row.question for row in self.rows]
        return paired_bootstrap(one, two, groups, resamples=RESAMPLES)

    def _worth(self, row: Asked, name: str, lam: float) -> float:
        cell = row.cells.get(name)
        return cell.score - lam * cell.tokens / row.whole(self.base.unit) if cell else 0.0


@dataclass(frozen=True, slots=True)
class Routing:
    """The router at one weight of cost, out of fold: what it takes of each row, and what that scores and costs."""

    lam: float
    taken: tuple[str, ...]
    arm: Arm


def routings(
    matrix: Matrix, lams: Sequence[float], base: Policy | None = None, *, floor: float = 0.0, seed: int = 0
) -> list[Routing]:
    """The router at several weights of cost; each row is predicted by a fit on the other documents' rows.

    Args:
        matrix: every row and strategy.
        lams: weights of cost.
        base: whose margin and unit of cost hold; the built-in policy when not given.
        floor: strategies predicted below it are out where another one reaches it, 0 to 1.
        seed: of the parts that documents are drawn into.
    """
    outcomes = [row.outcome for row in matrix.rows]
    said = crossed(outcomes, lambda some: fit_calibrated(some, telling(some), seed=seed), seed)
    found, base = [], base or Policy.load()
    for lam in lams:
        trial = Trial(matrix.rows, corrections_of(matrix), base, lam, floor)
        taken = tuple(trial.choices(said))
        found.append(Routing(lam, taken, trial.arm(f"router, lambda {lam:g}", taken)))
    return found


def crossed(
    rows: Sequence[Outcome], fit: Callable[[Sequence[Outcome]], Predictors], seed: int
) -> list[dict[str, float]]:
    """Each row's predicted scores, from a fit without its group."""
    said: list[dict[str, float]] = [{} for _ in rows]
    for part in parts(rows, FOLDS, seed):
        out = set(part)
        fitted = fit([row for at, row in enumerate(rows) if at not in out])
        for at in part:
            predicted = fitted.scores(rows[at].signals, rows[at].reader)
            said[at] = {name: predicted.get(name, 0.0) for name in rows[at].scores}
    return said


def corrections_of(matrix: Matrix) -> dict[str, Correction]:
    """By how much each strategy's plans were off, in the median."""
    return {name: _correction(matrix, name) for name in matrix.strategies}


def _correction(matrix: Matrix, name: str) -> Correction:
    cells = [row.cells[name] for row in matrix.rows if name in row.cells]
    tokens = [cell.tokens / cell.expected for cell in cells if cell.expected and cell.tokens]
    seconds = [cell.seconds / cell.expected_seconds for cell in cells if cell.expected_seconds and cell.seconds]
    return Correction(median(tokens) if tokens else 1.0, median(seconds) if seconds else 1.0)
