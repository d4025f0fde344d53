"""The policy file: what the router expects of each strategy, as data with a name and a hash.

Everything that could be called an opinion of the router (figures, cue words, weights, lambda, margins) is in
`policy.toml`. This module reads it, refuses what it does not understand, and interpolates.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Literal

from ragctx.errors import ConfigError
from ragctx.routing.fitted import Fitted
from ragctx.routing.lines import Points, ascending
from ragctx.routing.names import FORMS, KINDS, SECOND, known_signal

_STRICT = {"extra": "forbid", "allow_inf_nan": False}


@dataclass(frozen=True, slots=True)
class Cue:
    """A regular expression over the lower-cased question that speaks for (or, below 0, against) a kind."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _STRICT
    name: str
    toward: str
    weight: float
    pattern: str


@dataclass(frozen=True, slots=True)
class Kinds:
    """Prior share of each kind, and change of log-odds for each doubling of the words over `typical_words`."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _STRICT
    typical_words: float
    priors: Mapping[str, float]
    length: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Unanswerable:
    """How likely the documents do not say: 1 / (1 + exp(-(intercept + sum of weight x signal))).

    Attributes:
        reach: for each kind, how far that probability counts, 0 to 1.

    Example:
        >>> Unanswerable(0.0, {"coverage_top1": -1.0}, {}).at({"coverage_top1": 0.0})
        0.5
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _STRICT
    intercept: float
    weights: Mapping[str, float]
    reach: Mapping[str, float]

    def at(self, signals: Mapping[str, float]) -> float | None:
        """The probability; None when a signal it needs is not known."""
        if not self.weights.keys() <= signals.keys():
            return None
        total = self.intercept + sum(weight * signals[name] for name, weight in self.weights.items())
        return 1 / (1 + math.exp(-max(-60.0, min(60.0, total))))


@dataclass(frozen=True, slots=True)
class Figures:
    """Expected quality of one strategy: for each kind, points (axis value, quality).

    Attributes:
        axis: "window_ratio" (document tokens over window) or "share_read" (share of the documents' tokens read).
        toward: the strategy that this one becomes when it reads everything; empty for none.
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _STRICT
    axis: Literal["window_ratio", "share_read"]
    quality: Mapping[str, Points]
    toward: str = ""


@dataclass(frozen=True, slots=True)
class Modifier:
    """An addition to one strategy's quality, interpolated linearly over one signal."""

    __pydantic_config__: ClassVar[Mapping[str, object]] = _STRICT
    name: str
    strategy: str
    signal: str
    points: Points


@dataclass(frozen=True, slots=True)
class Policy:
    """The rule and score table of the router, as `policy.toml` documents it.

    Attributes:
        by_name: strategies that are not considered where nobody named the ones to choose from.
        fitted: predictors in place of the table, where they were fitted on questions of one's own.
        second_look: scores nearer than this are looked at again, by the ranker, before the question is read; 0 never.
        digest: hash of the content (comments and layout do not count). label: name, version and hash, for decisions.

    Example:
        >>> policy = Policy.load()
        >>> policy.lam, policy.label.startswith("lara-table.v2:")
        (0.05, True)
    """

    __pydantic_config__: ClassVar[Mapping[str, object]] = _STRICT
    name: str
    version: int
    lam: float
    margin: float
    unit: str
    neutral: float
    assumed_window: int
    kinds: Kinds
    unanswerable: Unanswerable
    cues: tuple[Cue, ...]
    strategies: Mapping[str, Figures]
    modifiers: tuple[Modifier, ...] = ()
    by_name: tuple[str, ...] = ()
    digest: str = field(default="", compare=False)
    fitted: Fitted | None = None
    second_look: float = 0.0

    @property
    def looks_twice(self) -> bool:
        """Whether strategies nearer than `second_look` are told apart by asking the ranker, which has to count."""
        named = self.fitted.predictors.signals if self.fitted else [m.signal for m in self.modifiers]
        return self.second_look > 0 and not set(SECOND).isdisjoint(named)

    @property
    def floor(self) -> float:
        """Strategies predicted below it are out where another one reaches it."""
        return self.fitted.floor if self.fitted else 0.0

    def under(self, fitted: Fitted) -> Policy:
        """This policy's rule with fitted predictors, weights and hash.

        Raises:
            ConfigError: they were fitted over another policy.
        """
        if fitted.base != self.digest:
            raise ConfigError(
                f"was fitted over the policy {fitted.base[:12]}, this one is {self.label}: give that policy, or run "
                "ragctx calibrate again"
            )
        return replace(self, name=fitted.name, lam=fitted.lam, digest=fitted.digest, fitted=fitted)

    @property
    def label(self) -> str:
        """What a decision records."""
        return f"{self.name}.v{self.version}:{self.digest[:12]}"

    @classmethod
    def load(cls, path: str | Path | None = None) -> Policy:
        """The policy in a TOML file, or a fitted one in JSON; the one of the package when no path is given.

        Raises:
            ConfigError: the file is missing, is neither, or says something that is not understood; every such key is
                named. A fitted one was changed by hand, or its base policy is not the one it was fitted over.
        """
        return _read(Path(path)) if path else _builtin()

    @classmethod
    def parse(cls, text: str, source: str = "policy") -> Policy:
        """The policy in TOML text; `source` names it in errors.

        Raises:
            ConfigError: as `load`.
        """
        try:
            raw = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{source} is not TOML: {error}") from error
        digest = hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()
        for name in ("digest", "fitted"):
            if name in raw:
                raise ConfigError(f"{source}: {name}: unknown key; it is not for this file to say, remove it")
        policy = _validated(raw | {"digest": digest}, source)
        problems = list(_problems(policy))
        if problems:
            raise ConfigError(f"{source}: " + "; ".join(problems))
        return policy


@cache
def _builtin() -> Policy:
    return _read(Path(__file__).with_name("policy.toml"))


def _read(path: Path) -> Policy:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise ConfigError(f"cannot read the policy {path}: {why}; give a TOML file in UTF-8") from error
    return _over(path, text) if text.lstrip().startswith("{") else Policy.parse(text, str(path))


def _over(path: Path, text: str) -> Policy:
    """A fitted policy on its base."""
    fitted = Fitted.from_json(text, str(path))
    base = Policy.load(path.parent / fitted.base_file if fitted.base_file else None)
    try:
        return base.under(fitted)
    except ConfigError as error:
        raise ConfigError(f"{path} {error}") from error


def _validated(raw: dict[str, Any], source: str) -> Policy:
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Policy).validate_python(raw)
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, e['loc']))}: {_plain(e['type'], e['msg'])}" for e in error.errors())
        raise ConfigError(f"{source}: " + "; ".join(lines)) from error


def _plain(kind: str, message: str) -> str:
    known = {"unexpected_keyword_argument": "unknown key", "missing": "missing"}
    return known.get(kind, message[:1].lower() + message[1:])


def _problems(policy: Policy) -> Iterator[str]:
    """What types cannot say: names that must be known, shares, ascending points, patterns that compile."""
    below = (name for name in ("lam", "margin", "second_look") if getattr(policy, name) < 0)
    yield from (f"{name}: must not be below 0" for name in below)
    if policy.second_look > 0 and not policy.looks_twice:
        yield f"second_look: no modifier uses {' or '.join(SECOND)}, so it would be paid for nothing"
    late = set(SECOND) & set(policy.unanswerable.weights)
    yield from (f"unanswerable.weights.{name}: is known only after a second look" for name in sorted(late))
    yield from (f"{table}: needs exactly the kinds {', '.join(FORMS)}" for table in _wrong_kinds(policy))
    yield from (f"kinds.priors.{k}: must be above 0" for k, share in policy.kinds.priors.items() if share <= 0)
    yield from (
        f"unanswerable.reach.{k}: a share, 0 to 1" for k, s in policy.unanswerable.reach.items() if not 0 <= s <= 1
    )
    if policy.kinds.typical_words <= 0 or policy.assumed_window <= 0:
        yield "kinds.typical_words and assumed_window: must be above 0"
    yield from (f"unanswerable.weights.{s}: unknown signal" for s in policy.unanswerable.weights if not known_signal(s))
    for i, cue in enumerate(policy.cues):
        yield from (f"cues.{i} ({cue.name}): {problem}" for problem in _cue_problems(cue))
    for name, figures in policy.strategies.items():
        yield from (f"strategies.{name}.{problem}" for problem in _figure_problems(figures, policy))
    for i, modifier in enumerate(policy.modifiers):
        yield from (f"modifiers.{i} ({modifier.name}): {problem}" for problem in _modifier_problems(modifier, policy))


def _wrong_kinds(policy: Policy) -> Iterator[str]:
    kinds, reach = policy.kinds, policy.unanswerable.reach
    tables = {"kinds.priors": kinds.priors, "kinds.length": kinds.length, "unanswerable.reach": reach}
    return (name for name, table in tables.items() if set(table) != set(FORMS))


def _cue_problems(cue: Cue) -> Iterator[str]:
    if cue.toward not in FORMS:
        yield f"toward: unknown kind {cue.toward!r} (known: {', '.join(FORMS)})"
    try:
        re.compile(cue.pattern)
    except re.error as error:
        yield f"pattern: not a regular expression: {error}"


def _figure_problems(figures: Figures, policy: Policy) -> Iterator[str]:
    if set(figures.quality) != set(KINDS):
        yield f"quality: needs exactly the kinds {', '.join(KINDS)}"
    if figures.toward and policy.strategies.get(figures.toward, figures).axis == figures.axis:
        yield f"toward: {figures.toward!r} must be a strategy of this file with another axis"
    for kind, points in figures.quality.items():
        if not ascending(points) or points[0][0] <= 0:
            yield f"quality.{kind}: needs points whose axis values are above 0 and ascend"
        if not all(0 <= quality <= 1 for _, quality in points):
            yield f"quality.{kind}: qualities are shares, 0 to 1"


def _modifier_problems(modifier: Modifier, policy: Policy) -> Iterator[str]:
    if modifier.strategy not in policy.strategies:
        yield f"strategy: {modifier.strategy!r} has no figures in this file"
    if not known_signal(modifier.signal):
        yield f"signal: unknown signal {modifier.signal!r}"
    if not ascending(modifier.points):
        yield "points: need ascending signal values"
