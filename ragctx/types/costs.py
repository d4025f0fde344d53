"""What reading costs: ranges before, charges after, and the budget between them.

Tokens are the model's own; money is in the currency of the reader's `Prices`; seconds are wall-clock of the calls.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from ragctx.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Range:
    """Low, expected and high.

    Example:
        >>> Range(1, 2, 4) + Range.exactly(10)
        Range(low=11, expected=12, high=14)
    """

    low: float
    expected: float
    high: float

    def __post_init__(self) -> None:
        if not self.low <= self.expected <= self.high:
            raise ValueError(f"a range needs low <= expected <= high, got {self}")

    @classmethod
    def exactly(cls, value: float) -> Range:
        """The range of one known value."""
        return cls(value, value, value)

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def times(self, factor: float) -> Range:
        """Every bound multiplied by a factor that is not negative."""
        return Range(self.low * factor, self.expected * factor, self.high * factor)


ZERO = Range.exactly(0)


@dataclass(frozen=True, slots=True)
class Prices:
    """Price per million tokens, with the day it was true.

    Attributes:
        cached: price of prompt tokens the server had in its prefix cache; the prompt price when None.
    """

    prompt: float
    output: float
    cached: float | None = None
    currency: str = "USD"
    dated: str = ""

    def money(self, prompt: float, output: float, cached: float = 0) -> float:
        """Money for a call of so many tokens; `cached` tokens are part of `prompt`.

        Example:
            >>> Prices(prompt=1.0, output=2.0, cached=0.5).money(1_000_000, 500_000, cached=200_000)
            1.9
        """
        cached_price = self.prompt if self.cached is None else self.cached
        return ((prompt - cached) * self.prompt + cached * cached_price + output * self.output) / 1e6


@dataclass(frozen=True, slots=True)
class Speed:
    """A model's measured speed: tokens a second reading and writing, and seconds before anything comes back."""

    prompt: float
    output: float
    latency: float = 0.0

    def seconds(self, prompt: float, output: float, calls: float = 1) -> float:
        """Seconds of one caller waiting for so many tokens over so many calls."""
        return calls * self.latency + prompt / self.prompt + output / self.output


@dataclass(frozen=True, slots=True)
class Line:
    """What one role is expected to be sent and to write, over all its calls."""

    role: str
    prompt: Range
    output: Range
    calls: Range


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a strategy expects to spend on one question, before anything is spent.

    A strategy fills `lines`; `Models.price` adds seconds and money where a model's speed and prices are known. Tokens
    and calls are those of models that write, as in budgets; `lines` has the encoder's, ranker's and scorer's too.

    Attributes:
        exact: prompt and calls were counted, not guessed.
        seconds: None where no speed is known. money: None where no price is known.
        notes: what a person reading the plan should know.

    Example:
        >>> estimate = Estimate.exactly(prompt=1200, output=(8, 60, 128))
        >>> estimate.prompt.expected, estimate.tokens.high
        (1200, 1328)
    """

    lines: tuple[Line, ...] = ()
    exact: bool = False
    seconds: Range | None = None
    money: Range | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def exactly(
        cls, *, prompt: float, output: tuple[float, float, float], calls: float = 1, role: str = "reader"
    ) -> Estimate:
        """The estimate of calls whose prompts are known to the token; output is (low, expected, high)."""
        line = Line(role, Range.exactly(prompt), Range(*output), Range.exactly(calls))
        return cls((line,), exact=True)

    @property
    def metered(self) -> tuple[Line, ...]:
        """The lines of language models."""
        return tuple(line for line in self.lines if line.role not in UNMETERED_ROLES)

    @property
    def prompt(self) -> Range:
        """Prompt tokens over all calls."""
        return sum((line.prompt for line in self.metered), ZERO)

    @property
    def output(self) -> Range:
        """Output tokens over all calls."""
        return sum((line.output for line in self.metered), ZERO)

    @property
    def calls(self) -> Range:
        """Model calls."""
        return sum((line.calls for line in self.metered), ZERO)

    @property
    def tokens(self) -> Range:
        """All tokens billed: prompt plus output."""
        return self.prompt + self.output


@dataclass(frozen=True, slots=True)
class Budget:
    """A ceiling for one question over all its calls; None means no ceiling.

    Attributes:
        tokens: prompt plus output tokens billed. money: in the currency of the reader's `Prices`.
        seconds: wall-clock from the question's first step. calls: model calls.

    Raises:
        ConfigError: a ceiling is below zero, or no number.

    Example:
        >>> Budget.of(20_000)
        Budget(tokens=20000, money=None, seconds=None, calls=None)
    """

    tokens: int | None = None
    money: float | None = None
    seconds: float | None = None
    calls: int | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            ceiling: object = getattr(self, field.name)
            number = isinstance(ceiling, int | float) and not isinstance(ceiling, bool) and ceiling >= 0
            if ceiling is not None and not number:
                raise ConfigError(
                    f"a budget of {ceiling!r} {field.name} is none: give a number not below zero, or None"
                )

    @classmethod
    def of(cls, budget: int | Budget | None) -> Budget | None:
        """A bare number is a ceiling in tokens."""
        return budget if budget is None or isinstance(budget, Budget) else cls(tokens=budget)


# Models of these roles embed, rank and score; they write nothing, so what they read is not "tokens billed to a
# question" and takes nothing from its budget in tokens and calls: a compressor reads much with a small model to let a
# dear one read little. Their seconds, and their money if any, do count.
UNMETERED_ROLES = frozenset({"encoder", "ranker", "scorer"})


@dataclass(frozen=True, slots=True)
class Charge:
    """What one request was billed.

    Attributes:
        purpose: why the call was made ("answer", "standalone question", ...).
        cached: prompt tokens the server read from its prefix cache (part of `prompt`).
        money: None where the model has no known price.
        replayed: the reply came from our own cache or job store; nothing was spent, so the amounts are zero.
    """

    role: str
    purpose: str
    model: str
    prompt: int = 0
    output: int = 0
    cached: int = 0
    seconds: float = 0.0
    money: float | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Usage:
    """Every charge of one question, in the order the calls were made.

    Tokens and calls are those of language models, as in budgets and plans; `charges` and `by` show the encoder's too.

    Example:
        >>> usage = Usage((Charge("reader", "answer", "m", prompt=90, output=10),))
        >>> usage.tokens, usage.calls, usage.by("role")["reader"].tokens
        (100, 1, 100)
    """

    charges: tuple[Charge, ...] = ()

    @property
    def metered(self) -> tuple[Charge, ...]:
        """The charges of language models."""
        return tuple(charge for charge in self.charges if charge.role not in UNMETERED_ROLES)

    @property
    def prompt(self) -> int:
        """Prompt tokens billed."""
        return sum(charge.prompt for charge in self.metered)

    @property
    def output(self) -> int:
        """Output tokens billed."""
        return sum(charge.output for charge in self.metered)

    @property
    def cached(self) -> int:
        """Prompt tokens the server read from its prefix cache."""
        return sum(charge.cached for charge in self.metered)

    @property
    def tokens(self) -> int:
        """Prompt plus output tokens billed."""
        return self.prompt + self.output

    @property
    def calls(self) -> int:
        """Requests that reached a model (replayed ones did not)."""
        return sum(not charge.replayed for charge in self.metered)

    @property
    def replayed(self) -> int:
        """Requests answered from our own cache or job store."""
        return sum(charge.replayed for charge in self.metered)

    @property
    def seconds(self) -> float:
        """Seconds spent waiting for models, summed over calls."""
        return sum(charge.seconds for charge in self.charges)

    @property
    def money(self) -> float | None:
        """Money spent; None where no call had a known price."""
        known = [charge.money for charge in self.charges if charge.money is not None]
        return sum(known) if known else None

    def by(self, attribute: str) -> dict[str, Usage]:
        """The usage split by `"role"`, `"purpose"` or `"model"`."""
        names = dict.fromkeys(str(getattr(charge, attribute)) for charge in self.charges)
        return {name: Usage(tuple(c for c in self.charges if str(getattr(c, attribute)) == name)) for name in names}

    @classmethod
    def total(cls, usages: Iterable[Usage]) -> Usage:
        """All charges of several usages."""
        return cls(tuple(charge for usage in usages for charge in usage.charges))
