"""A fitted policy: predictors, corrections of estimates and the trade-off, measured on somebody's own questions.

It stands on a base policy (cue words, kinds, unit of cost), which it names by hash: signals mean what they meant when
it was fitted. `ragctx calibrate` writes one; wherever a policy file is asked for, it may be given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from ragctx.errors import ConfigError
from ragctx.routing import sealed
from ragctx.routing.predictors import Predictors
from ragctx.types import Estimate, Range

VERSION = 1
_STRICT: Final = {"extra": "forbid", "allow_inf_nan": False}


@dataclass(frozen=True, slots=True)
class Correction:
    """Median of actual over expected, of tokens and of seconds; 1 where nothing was measured.

    Example:
        >>> estimate = Estimate.exactly(prompt=100, output=(0, 50, 400))
        >>> Correction(tokens=1.5).of(estimate).tokens
        Range(low=100, expected=175.0, high=500)
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _STRICT
    tokens: float = 1.0
    seconds: float = 1.0

    def of(self, estimate: Estimate) -> Estimate:
        """The estimate with what is expected moved, never out of its bounds, which hold for budgets as they are."""
        lines = tuple(
            replace(line, prompt=_moved(line.prompt, self.tokens), output=_moved(line.output, self.tokens))
            for line in estimate.lines
        )
        seconds, money = estimate.seconds, estimate.money
        return replace(
            estimate,
            lines=lines,
            seconds=seconds and _moved(seconds, self.seconds),
            money=money and _moved(money, self.tokens),
        )


@dataclass(frozen=True, slots=True)
class Origin:
    """What a policy was fitted on.

    Attributes:
        rows: questions x readers. questions, groups: of them, and the documents they are about.
        readers: by name. data: what was asked. date: ISO. command: that made it.
        verdict: in words, how sure the fit is of beating the best single strategy.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _STRICT
    rows: int
    questions: int
    groups: int
    readers: tuple[str, ...]
    data: tuple[str, ...] = ()
    date: str = ""
    seed: int = 0
    command: str = ""
    verdict: str = ""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a policy file of `ragctx calibrate` holds.

    Attributes:
        base: hash of the policy it stands on. base_file: where that is; empty for the built-in one.
        predictors: expected scores. corrections: strategy -> correction of its estimates.
        lam: weight of cost. floor: strategies predicted below it are out where another one reaches it.

    Example:
        >>> from ragctx.routing.predictors import MEAN
        >>> numbers = Predictors((), (), (), ("any",), (0.0,), ((),), {MEAN: {"full": (0.5,)}})
        >>> held = Fitted("0" * 64, numbers, {"full": Correction(1.1)}, 0.05, 0.2, Origin(40, 40, 8, ("m",)))
        >>> Fitted.from_json(held.to_json()) == held
        True
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _STRICT
    base: str
    predictors: Predictors
    corrections: Mapping[str, Correction]
    lam: float
    floor: float
    origin: Origin
    base_file: str = ""
    name: str = "fitted"

    @property
    def strategies(self) -> frozenset[str]:
        """Those that were measured."""
        return frozenset(arm for arms in self.predictors.table.values() for arm in arms)

    def corrected(self, strategy: str, estimate: Estimate) -> Estimate:
        """The strategy's estimate as its own runs turned out."""
        found = self.corrections.get(strategy)
        return found.of(estimate) if found else estimate

    @property
    def digest(self) -> str:
        """Hash of all of it."""
        return sealed.digest(self)

    def to_json(self) -> str:
        """The policy file's text."""
        self.check("the fitted policy")
        return sealed.seal(self, "policy", VERSION)

    @classmethod
    def from_json(cls, text: str, source: str = "policy") -> Fitted:
        """What `to_json` wrote; `source` names the file in errors.

        Raises:
            ConfigError: not JSON, of another version, changed since it was written, or numbers that do not fit.
        """
        found = sealed.unseal(text, cls, "policy", VERSION, source)
        found.check(source)
        return found

    def check(self, source: str) -> None:
        """Refuse numbers out of range.

        Raises:
            ConfigError: naming each.
        """
        self.predictors.check(source)
        problems = [f"{name}: must not be below 0" for name in ("lam", "floor") if getattr(self, name) < 0]
        problems += [
            f"corrections.{name}: must be above 0"
            for name, one in self.corrections.items()
            if min(one.tokens, one.seconds) <= 0
        ]
        problems += [f"corrections.{name}: was not measured" for name in self.corrections.keys() - self.strategies]
        if problems:
            raise ConfigError(f"{source}: " + "; ".join(problems) + "; fit it again")


def _moved(held: Range, factor: float) -> Range:
    return replace(held, expected=min(held.high, max(held.low, held.expected * factor)))
