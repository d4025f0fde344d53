"""Fitted predictors: what each strategy scores on a question, from numbers in a JSON file; nothing but arithmetic.

Cold start, for any reader: score(strategy) = sum over kinds of P(kind | signals) x table(reader, kind, strategy). The
posterior is a multinomial logistic over standardised signals; a reader that the table does not know is read as the mean
of those it knows.

A reader that was measured has, beside that, one regressor a strategy: a linear one over the same signals and the cold
start's figure, whose outcome is put in its place by an isotonic calibration (points, interpolated). How calibrated
scores are weighed against cost: Hu et al., arXiv 2403.12031.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import exp
from operator import mul
from typing import ClassVar, Final

from ragctx.errors import ConfigError
from ragctx.routing import sealed
from ragctx.routing.lines import Points, ascending, interpolate
from ragctx.routing.wording import SAID

VERSION = 2
MEAN = "*"
"""The reader that stands for every reader that was not measured."""
FARTHEST: Final = 3.0
"""A signal counts as no further than this from typical, in its scale: what was never seen is not extrapolated."""
_STRICT: Final = {"extra": "forbid", "allow_inf_nan": False}


@dataclass(frozen=True, slots=True)
class Regressor:
    """Expected score of one strategy: intercept + cold x cold start + weights x signals, then calibrated.

    Attributes:
        weights: one a signal, in the predictors' order. points: raw value to score, ascending, 0 to 1.

    Example:
        >>> Regressor(0.25, 0.5, (0.125,), ((0.0, 0.0), (1.0, 0.5))).at((2.0,), cold=0.5)
        0.375
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _STRICT
    intercept: float
    cold: float
    weights: tuple[float, ...]
    points: Points

    def at(self, row: tuple[float, ...], cold: float) -> float:
        """The score at standardised signals (`Predictors.near`) and the cold start's figure."""
        return interpolate(self.points, self.intercept + self.cold * cold + sum(map(mul, self.weights, row)))


@dataclass(frozen=True, slots=True)
class Predictors:
    """Coefficients of a fitted policy.

    Attributes:
        signals: names, in the order of the rows below. centres, scales: each signal is (value - centre) / scale.
        kinds: names, in the order of the columns. intercepts: one a kind. weights: one row a kind, one number a signal.
        table: reader -> strategy -> expected score of each kind, 0 to 1; `MEAN` must be there.
        regressors: strategy -> its regressor, for the readers in the table; a strategy without one is read off it.

    Example:
        >>> table = {MEAN: {"full": (0.5, 0.75), "retrieve": (0.75, 0.25)}}
        >>> kinds, weights = ("fact", "comparison"), ((-9.0,), (9.0,))
        >>> fitted = Predictors(("words",), (8.0,), (4.0,), kinds, (0.0, 0.0), weights, table)
        >>> long = fitted.scores({"words": 20.0}, reader="never seen")
        >>> round(long["full"], 2), round(long["retrieve"], 2), Predictors.from_json(fitted.to_json()) == fitted
        (0.75, 0.25, True)
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _STRICT
    signals: tuple[str, ...]
    centres: tuple[float, ...]
    scales: tuple[float, ...]
    kinds: tuple[str, ...]
    intercepts: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    table: Mapping[str, Mapping[str, tuple[float, ...]]]
    regressors: Mapping[str, Regressor] = field(default_factory=dict)

    def standardised(self, signals: Mapping[str, float]) -> tuple[float, ...]:
        """The signals as the coefficients take them; one that is not known counts as typical, a word unsaid as 0."""
        columns = zip(self.signals, self.centres, self.scales, strict=True)
        return tuple(
            (signals.get(name, 0.0 if name.startswith(SAID) else centre) - centre) / scale
            for name, centre, scale in columns
        )

    def near(self, signals: Mapping[str, float]) -> tuple[float, ...]:
        """The same for regressors: none further from typical than `FARTHEST`."""
        return tuple(max(-FARTHEST, min(FARTHEST, value)) for value in self.standardised(signals))

    def posterior(self, signals: Mapping[str, float]) -> tuple[float, ...]:
        """Probability of each kind."""
        row = self.standardised(signals)
        logits = [
            start + sum(weight * value for weight, value in zip(weights, row, strict=True))
            for start, weights in zip(self.intercepts, self.weights, strict=True)
        ]
        top = max(logits)
        shares = [exp(logit - top) for logit in logits]
        return tuple(share / sum(shares) for share in shares)

    def cold(self, signals: Mapping[str, float], reader: str = MEAN) -> dict[str, float]:
        """Expected score of each strategy by kind alone, 0 to 1."""
        likely = self.posterior(signals)
        arms = self.table.get(reader, self.table[MEAN])
        return {arm: sum(p * s for p, s in zip(likely, by_kind, strict=True)) for arm, by_kind in arms.items()}

    def scores(self, signals: Mapping[str, float], reader: str = MEAN) -> dict[str, float]:
        """Expected score of each strategy, 0 to 1."""
        cold = self.cold(signals, reader)
        if reader not in self.table or not self.regressors:
            return cold
        row = self.near(signals)
        return {
            arm: self.regressors[arm].at(row, figure) if arm in self.regressors else figure
            for arm, figure in cold.items()
        }

    @property
    def digest(self) -> str:
        """Hash of the numbers, as the file carries it and decisions may record it."""
        return sealed.digest(self)

    def to_json(self) -> str:
        """The file: version, hash, and the numbers."""
        return sealed.seal(self, "predictors", VERSION)

    @classmethod
    def from_json(cls, text: str, source: str = "policy") -> Predictors:
        """The predictors in a file's text; `source` names it in errors.

        Raises:
            ConfigError: not JSON, of another version, changed since it was written, or numbers that do not fit.
        """
        fitted = sealed.unseal(text, cls, "predictors", VERSION, source)
        fitted.check(source)
        return fitted

    def check(self, source: str = "policy") -> None:
        """Refuse rows of the wrong length, scales that are not above 0, and scores outside 0 to 1.

        Raises:
            ConfigError: naming every such row.
        """
        problems = list(_problems(self))
        if problems:
            raise ConfigError(f"{source}: " + "; ".join(problems) + "; fit it again")


def _problems(fitted: Predictors) -> Iterator[str]:
    many = len(fitted.signals)
    if not many == len(fitted.centres) == len(fitted.scales):
        yield "signals, centres and scales differ in length"
    if not len(fitted.kinds) == len(fitted.intercepts) == len(fitted.weights) or not fitted.kinds:
        yield "kinds, intercepts and weights differ in length or are empty"
    yield from (f"weights.{i}: length" for i, row in enumerate(fitted.weights) if len(row) != many)
    yield from (f"scales.{i}: must be above 0" for i, scale in enumerate(fitted.scales) if scale <= 0)
    if MEAN not in fitted.table:
        yield f"table: no row for {MEAN!r}"
    for reader, arms in fitted.table.items():
        for arm, by_kind in arms.items():
            if len(by_kind) != len(fitted.kinds) or not all(0 <= score <= 1 for score in by_kind):
                yield f"table.{reader}.{arm}: needs {len(fitted.kinds)} scores from 0 to 1"
    for arm, regressor in fitted.regressors.items():
        if len(regressor.weights) != many:
            yield f"regressors.{arm}.weights: length"
        if not ascending(regressor.points) or not all(0 <= score <= 1 for _, score in regressor.points):
            yield f"regressors.{arm}.points: need ascending values with scores from 0 to 1"
