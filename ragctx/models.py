"""Facts about models: what works may know, and nothing that can be called to spend money.

A work is given `Models`, the role -> facts table of its pipeline. Facts are a name, a window, a token counter, prices
and speed. The models themselves sit behind the engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from ragctx.errors import ConfigError, DoesNotFit
from ragctx.types import Estimate, Line, Prices, Range, Speed
from ragctx.types.costs import UNMETERED_ROLES, ZERO
from ragctx.work import Message


class Counter(Protocol):
    """Counts a model's tokens without any network call."""

    @property
    def name(self) -> str:
        """Who counts; shown in plans, part of cached counts' keys."""
        ...

    @property
    def exact(self) -> bool:
        """Whether counts are the model's own; an estimate is an upper bound at its stated margin."""
        ...

    def count(self, text: str) -> int:
        """Tokens of a text on its own, without special tokens."""
        ...

    def render(self, messages: Sequence[Message]) -> int:
        """Tokens of the whole rendered chat prompt, template and generation prompt included."""
        ...


@runtime_checkable
class Pieces(Protocol):
    """A counter that knows its model's tokens one by one, as `Score` on token ids needs them."""

    def pieces(self, text: str) -> tuple[Sequence[int], Sequence[tuple[int, int]]]:
        """Token ids of a plain text without special tokens, and the characters [start, end) that each stands for."""
        ...


@runtime_checkable
class Literate(Protocol):
    """A counter that knows in which letters its model can read."""

    def reads(self, text: str) -> bool:
        """Whether most of a text is in letters that the model knows."""
        ...


@dataclass(frozen=True, slots=True)
class EstimatedCounter:
    """Upper-bound guess from characters, for models whose tokenizer is not here.

    Latin text runs at about four characters a token and CJK at about one; the margin is added on top, so that limits
    checked with it hold for common tokenizers.

    Example:
        >>> counter = EstimatedCounter()
        >>> counter.count("The notice period is three months."), counter.count("通知期间为三个月")
        (11, 10)
    """

    characters_per_token: float = 4.0
    margin: float = 0.25
    per_message: int = 8
    name: str = "estimate"
    exact: bool = False

    def count(self, text: str) -> int:
        """Characters over four, one for each wide character, plus the margin, rounded up."""
        wide = sum(character > "\u2e7f" for character in text) if not text.isascii() else 0
        raw = (len(text) - wide) / self.characters_per_token + wide
        return -int(-raw * (1 + self.margin) // 1)

    def render(self, messages: Sequence[Message]) -> int:
        """The messages' counts plus an allowance for the chat template."""
        return sum(self.count(message.content) + self.per_message for message in messages) + self.per_message


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known about one model.

    Attributes:
        name: as the user wrote it, e.g. `local:smollm2-135m`.
        identity: what cache keys hold: name plus weights' digest or endpoint, so that two models never share replies.
        window: prompt plus output tokens; None where nobody said.
        kinds: the request classes it answers ("Generate", "Score", "Embed", "Rerank"), and of a ranker also "Prune"
            (weighs the units of a text) and "Extract" (points out answers).
        max_output: tokens it may write in one call.
    """

    name: str
    counter: Counter = field(default_factory=EstimatedCounter)
    window: int | None = None
    prices: Prices | None = None
    speed: Speed | None = None
    identity: str = ""
    kinds: frozenset[str] = frozenset({"Generate"})
    max_output: int | None = None

    def reads(self, text: str) -> bool:
        """Whether it can read a text's letters, as far as its counter knows.

        Example:
            >>> ModelFacts("m").reads("通知期是多久？")
            True
        """
        return self.counter.reads(text) if isinstance(self.counter, Literate) else True

    def must_fit(self, prompt: int, output: int = 0) -> None:
        """Refuse a prompt that does not fit the window together with its output.

        Raises:
            DoesNotFit: with both numbers.
        """
        if self.window is not None and prompt + output > self.window:
            raise DoesNotFit(self.name, prompt + output, self.window)


def pieces_of(facts: ModelFacts) -> Pieces:
    """A model's own tokens.

    Raises:
        ConfigError: its counter does not tell them.

    Example:
        >>> from ragctx.readers.scripted import Scripted
        >>> pieces_of(Scripted().facts).pieces("Three months.")[1]
        [(0, 5), (5, 12), (12, 13)]
    """
    if isinstance(facts.counter, Pieces):
        return facts.counter
    raise ConfigError(
        f"{facts.name} does not tell its tokens, which a scorer must: name a local model, "
        "e.g. Pipeline.over(..., scorer='local:smollm2-135m')"
    )


@dataclass(frozen=True, slots=True)
class Models:
    """Which model plays which role.

    Attributes:
        roles: role name -> facts. A role that is not named here is played by `reader`, if that model answers the
            kind of request asked; "encoder", "ranker" and "scorer" are never guessed.
    """

    roles: Mapping[str, ModelFacts] = field(default_factory=dict)

    @property
    def reader(self) -> ModelFacts:
        """The model that answers."""
        return self.of("reader")

    def has(self, role: str) -> bool:
        """Whether a model plays this role."""
        return role in self.roles or (role not in {"encoder", "ranker", "scorer"} and "reader" in self.roles)

    def can(self, role: str, kind: str) -> bool:
        """Whether a model plays this role and answers such requests.

        Example:
            >>> Models({"ranker": ModelFacts("r", kinds=frozenset({"Rerank"}))}).can("ranker", "Prune")
            False
        """
        return self.has(role) and kind in self.of(role).kinds

    def of(self, role: str) -> ModelFacts:
        """The facts of the model that plays `role`.

        Raises:
            ConfigError: nobody plays it.
        """
        if not self.has(role):
            example = "local:smollm2-135m" if role == "scorer" else "..."
            raise ConfigError(
                f"no model plays the role {role!r}: name one, e.g. Pipeline.over(..., {role}={example!r})"
            )
        return self.roles.get(role) or self.roles["reader"]

    def price(self, estimate: Estimate) -> Estimate:
        """The estimate with seconds and money filled in where every role's speed and prices are known.

        An encoder or a ranker is small beside a reader: one that nobody timed or put a price on hides neither sum.
        """
        return replace(estimate, seconds=self._seconds(estimate.lines), money=self._money(estimate.lines))

    def _seconds(self, lines: tuple[Line, ...]) -> Range | None:
        """Unknown where a writer's speed is; an encoder or a ranker that was never clocked is left out."""
        speeds = [(line, self.of(line.role).speed) for line in lines]
        known = [
            Range(*(speed.seconds(p, o, c) for p, o, c in _bounds(line))) for line, speed in speeds if speed is not None
        ]
        unknown = any(speed is None and line.role not in UNMETERED_ROLES for line, speed in speeds)
        return None if unknown or (lines and not known) else sum(known, ZERO)

    def _money(self, lines: tuple[Line, ...]) -> Range | None:
        """Unknown where a writer's price is; an encoder or a ranker without one costs none."""
        priced = [(line, self.of(line.role).prices) for line in lines]
        known = [
            Range(*(prices.money(p, o) for p, o, _ in _bounds(line))) for line, prices in priced if prices is not None
        ]
        if any(prices is None and line.role not in UNMETERED_ROLES for line, prices in priced):
            return None
        return sum(known, ZERO) if known or not lines or self._has_prices() else None

    def _has_prices(self) -> bool:
        return any(facts.prices is not None for facts in self.roles.values())


def _bounds(line: Line) -> tuple[tuple[float, float, float], ...]:
    prompt, output, calls = line.prompt, line.output, line.calls
    return (
        (prompt.low, output.low, calls.low),
        (prompt.expected, output.expected, calls.expected),
        (prompt.high, output.high, calls.high),
    )
