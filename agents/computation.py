"""How much to read for a token budget: the computation allocation model of Yue et al. (ICLR 2025).

What a setting (documents, shots, iterations) is worth is learnt from runs that were measured: the inverse sigmoid of
the score is linear in the logarithms of the three, and how steep it is depends on what one document and one
demonstration are worth on that data set. The published study fitted one model for each reader on some fifty runs and
used it within the lengths that it had seen; figures of one reader say nothing about another, so measure your own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product

from ragctx.agents.allocating import FACTORS, learnt
from ragctx.agents.runs import Gains, Run, Setting, logs, parts
from ragctx.errors import ConfigError, LimitError, UnknownName
from ragctx.types.serial import dump, load

__all__ = ["Allocation", "Choice", "Gains", "Run", "Setting"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The best setting that a budget allows: what it is expected to score, and the tokens it is expected to take."""

    setting: Setting
    score: float
    tokens: float


@dataclass(frozen=True, slots=True)
class Allocation:
    """Predicts the score of a setting, and finds the best one for a token budget.

    The inverse sigmoid of the score is `(a + b * gains) . (log(1 + documents), log(1 + shots), log(iterations)) + c`,
    fitted by least squares (arXiv 2410.04343). `gains` are what the first document and the first demonstration add on
    a data set. Where there is one data set only, or two gains alike, `b` cannot be told from `a` and is left at zero,
    which `notes` says; likewise the weight of a factor that never varied, and predictions for its other values are
    refused.

    Attributes:
        a: weights of documents, shots and iterations. b: what each adds for a gain of 1. c: the constant.
        gains: of every data set, (first document, first demonstration), as score differences.
        tried: the values of each factor in the runs. costs: tokens by `_parts`; none where no run was counted.
        r2: of the fit, in the inverse sigmoid. error: root mean squared error there, each run left out in its turn.

    Example:
        >>> def scored(k, n):
        ...     return 1 / (1 + math.exp(1 - 0.5 * math.log(1 + k) - 0.4 * math.log(n)))
        >>> import math
        >>> runs = [Run(k, 0, n, scored(k, n), tokens=100 * n + 200 * n * k) for k in (1, 5, 20) for n in (1, 2, 4)]
        >>> model = Allocation.fit(runs)
        >>> round(model.predict(Setting(5, 0, 2)) - scored(5, 2), 6)
        0.0
        >>> model.best(tokens=2_500).setting
        Setting(documents=5, shots=0, iterations=2)
        >>> Allocation.from_json(model.to_json()) == model
        True
    """

    a: tuple[float, float, float]
    c: float
    tried: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    b: tuple[float, float, float] = (0.0, 0.0, 0.0)
    gains: Gains = field(default_factory=dict)
    costs: tuple[float, ...] = ()
    r2: float = 1.0
    error: float = 0.0
    runs: int = 0
    notes: tuple[str, ...] = ()

    @classmethod
    def fit(cls, runs: Sequence[Run], gains: Gains | None = None) -> Allocation:
        """The model of one reader's runs.

        Args:
            runs: of one reader; some fifty that vary documents, shots and iterations apart from each other.
            gains: of every data set; measured from the runs (0, 0, 1), (1, 0, 1) and (0, 1, 1) where not given.

        Raises:
            ConfigError: too few runs, or runs that cannot tell the factors apart; the message says which to add.
        """
        return cls(**learnt(runs, gains))

    def predict(self, setting: Setting, data: str = "") -> float:
        """The expected score, 0 to 1.

        Args:
            setting: what is read.
            data: the set of questions; the mean of those that were measured where none is named.

        Raises:
            ConfigError: a factor that was the same in all runs has another value here.
            UnknownName: there were no runs on that data set.
        """
        for factor, value, tried in zip(FACTORS, setting, self.tried, strict=True):
            if len(tried) == 1 and value not in tried:
                raise ConfigError(f"{factor} was {tried[0]} in every run: nothing is known of {value}, measure it too")
        informed = (*self._gains(data), 0.0)
        steep = (a + b * gain for a, b, gain in zip(self.a, self.b, informed, strict=True))
        raised = self.c + sum(weight * log for weight, log in zip(steep, logs(setting), strict=True))
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, raised))))

    def tokens(self, setting: Setting) -> float:
        """Prompt tokens a question is expected to take.

        Raises:
            ConfigError: no run said what it took.
        """
        if not self.costs:
            raise ConfigError("no run says how many tokens it took: give Run(tokens=...), or best(cost=...)")
        return float(sum(cost * part for cost, part in zip(self.costs, parts(setting), strict=True)))

    def best(
        self,
        tokens: float,
        data: str = "",
        *,
        documents: Sequence[int] = (),
        shots: Sequence[int] = (),
        iterations: Sequence[int] = (),
        cost: Callable[[Setting], float] | None = None,
    ) -> Choice:
        """The setting with the highest expected score that the tokens allow; among equals the cheapest.

        Args:
            tokens: prompt tokens a question may take over all its calls.
            data: as for `predict`.
            documents: values to choose from; those that were measured where none are given, and likewise the others.
            shots: likewise.
            iterations: likewise.
            cost: tokens of a setting; by default what the runs took.

        Raises:
            LimitError: not even the cheapest setting is within the tokens.
            ConfigError: as `predict` and `tokens`.
        """
        values = (given or tried for given, tried in zip((documents, shots, iterations), self.tried, strict=True))
        price = cost or self.tokens
        choices = [Choice(s, self.predict(s, data), price(s)) for s in map(Setting._make, product(*values))]
        allowed = [choice for choice in choices if choice.tokens <= tokens]
        if not allowed:
            least = min(choices, key=lambda choice: choice.tokens)
            raise LimitError(
                f"the cheapest setting {tuple(least.setting)} takes about {least.tokens:,.0f} tokens, more than the "
                f"{tokens:,.0f} given: raise them"
            )
        return min(allowed, key=lambda choice: (-round(choice.score, 9), choice.tokens))

    def within(self, tokens: float, data: str = "", *, shots: int, iterations: int | None = None) -> Setting:
        """The best measured setting that a strategy can carry out: it reads at least one document.

        Args:
            tokens: as for `best`, and so is `data`.
            data: the set of questions.
            shots: the most demonstrations there are.
            iterations: the most rounds; None for any number.

        Raises:
            ConfigError: no run was of such a setting. LimitError: as `best`.
        """
        documents = [value for value in self.tried[0] if value]
        some = [value for value in self.tried[1] if value <= shots]
        rounds = [value for value in self.tried[2] if iterations is None or value <= iterations]
        for factor, values in zip(FACTORS, (documents, some, rounds), strict=True):
            if not values:
                raise ConfigError(f"no run has {factor} that can be used here: measure some that have")
        return self.best(tokens, data, documents=documents, shots=some, iterations=rounds).setting

    def to_json(self) -> str:
        """One line of JSON that `from_json` reads back to an equal model."""
        return dump(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> Allocation:
        """The model that `to_json` wrote.

        Raises:
            ConfigError: it is none.
        """
        try:
            return load(cls, text)
        except ValueError as error:
            raise ConfigError(f"this is no allocation model: {error}; write one with Allocation.to_json()") from error

    def _gains(self, data: str) -> tuple[float, float]:
        if data and self.gains and data not in self.gains:
            raise UnknownName("data set", data, self.gains)
        if data in self.gains:
            return self.gains[data]
        every = list(self.gains.values()) or [(0.0, 0.0)]
        return sum(gain[0] for gain in every) / len(every), sum(gain[1] for gain in every) / len(every)
