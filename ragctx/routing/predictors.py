"""Fitted predictors: what each strategy scores on a question, from numbers in a JSON file; nothing but arithmetic.

score(strategy) = sum over kinds of P(kind | signals) x table(reader, kind, strategy). The posterior is a multinomial
logistic over standardised signals; a reader that the table does not know is read as the mean of those it knows.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from ragctx.errors import ConfigError

VERSION = 1
MEAN = "*"
"""The reader that stands for every reader that was not measured."""


@dataclass(frozen=True, slots=True)
class Predictors:
    """Coefficients of a fitted policy.

    Attributes:
        signals: names, in the order of the rows below. centres, scales: each signal is (value - centre) / scale.
        kinds: names, in the order of the columns. intercepts: one a kind. weights: one row a kind, one number a signal.
        table: reader -> strategy -> expected score of each kind, 0 to 1; `MEAN` must be there.

    Example:
        >>> table = {MEAN: {"full": (0.5, 0.75), "retrieve": (0.75, 0.25)}}
        >>> kinds, weights = ("fact", "comparison"), ((-9.0,), (9.0,))
        >>> fitted = Predictors(("words",), (8.0,), (4.0,), kinds, (0.0, 0.0), weights, table)
        >>> long = fitted.scores({"words": 20.0}, reader="never seen")
        >>> round(long["full"], 2), round(long["retrieve"], 2), Predictors.from_json(fitted.to_json()) == fitted
        (0.75, 0.25, True)
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = {"extra": "forbid", "allow_inf_nan": False}
    signals: tuple[str, ...]
    centres: tuple[float, ...]
    scales: tuple[float, ...]
    kinds: tuple[str, ...]
    intercepts: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    table: Mapping[str, Mapping[str, tuple[float, ...]]]

    def posterior(self, signals: Mapping[str, float]) -> tuple[float, ...]:
        """Probability of each kind; a signal that is not known counts as typical."""
        columns = zip(self.signals, self.centres, self.scales, strict=True)
        row = [(signals.get(name, centre) - centre) / scale for name, centre, scale in columns]
        logits = [
            start + sum(weight * value for weight, value in zip(weights, row, strict=True))
            for start, weights in zip(self.intercepts, self.weights, strict=True)
        ]
        top = max(logits)
        shares = [math.exp(logit - top) for logit in logits]
        return tuple(share / sum(shares) for share in shares)

    def scores(self, signals: Mapping[str, float], reader: str = MEAN) -> dict[str, float]:
        """Expected score of each strategy, 0 to 1."""
        likely = self.posterior(signals)
        arms = self.table.get(reader, self.table[MEAN])
        return {arm: sum(p * s for p, s in zip(likely, by_kind, strict=True)) for arm, by_kind in arms.items()}

    @property
    def digest(self) -> str:
        """Hash of the numbers, as the file carries it and decisions may record it."""
        return _digest(asdict(self))

    def to_json(self) -> str:
        """The file: version, hash, and the numbers."""
        return json.dumps({"version": VERSION, "digest": self.digest, "predictors": asdict(self)}, indent=1)

    @classmethod
    def from_json(cls, text: str, source: str = "policy") -> Predictors:
        """The predictors in a file's text; `source` names it in errors.

        Raises:
            ConfigError: not JSON, of another version, changed since it was written, or numbers that do not fit.
        """
        from pydantic import TypeAdapter, ValidationError

        try:
            raw: Any = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(f"{source} is not JSON: {error}; fit it again") from error
        if not isinstance(raw, dict) or raw.get("version") != VERSION:
            found = raw.get("version") if isinstance(raw, dict) else None
            raise ConfigError(f"{source}: version {found!r}, this program reads {VERSION}: fit it again")
        try:
            fitted: Predictors = TypeAdapter(cls).validate_python(raw.get("predictors"))
        except ValidationError as error:
            lines = (f"{'.'.join(map(str, e['loc'])) or 'predictors'}: {e['msg']}" for e in error.errors())
            raise ConfigError(f"{source}: " + "; ".join(lines)) from error
        if raw.get("digest") != _digest(raw["predictors"]):
            raise ConfigError(f"{source}: its hash does not match its numbers: it was changed by hand, fit it again")
        fitted.check(source)
        return fitted

    def check(self, source: str = "policy") -> None:
        """Refuse rows of the wrong length, scales that are not above 0, and scores outside 0 to 1.

        Raises:
            ConfigError: naming every such row.
        """
        problems = []
        if not len(self.signals) == len(self.centres) == len(self.scales):
            problems.append("signals, centres and scales differ in length")
        if not len(self.kinds) == len(self.intercepts) == len(self.weights) or not self.kinds:
            problems.append("kinds, intercepts and weights differ in length or are empty")
        problems += [f"weights.{i}: length" for i, row in enumerate(self.weights) if len(row) != len(self.signals)]
        problems += [f"scales.{i}: must be above 0" for i, scale in enumerate(self.scales) if scale <= 0]
        if MEAN not in self.table:
            problems.append(f"table: no row for {MEAN!r}")
        for reader, arms in self.table.items():
            for arm, by_kind in arms.items():
                if len(by_kind) != len(self.kinds) or not all(0 <= score <= 1 for score in by_kind):
                    problems.append(f"table.{reader}.{arm}: needs {len(self.kinds)} scores from 0 to 1")
        if problems:
            raise ConfigError(f"{source}: " + "; ".join(problems))


def _digest(numbers: object) -> str:
    return hashlib.sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()
