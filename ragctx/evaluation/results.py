"""What an experiment found: one row for each question, reader and strategy, failures included, and sums of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean, median

from ragctx.errors import ConfigError
from ragctx.evaluation.bootstrap import Comparison, paired_bootstrap
from ragctx.evaluation.frontier import Bin, calibration, calibration_error

ROUTER = "router"  # the arm whose strategies the policy chooses
RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """One question asked by one strategy of one reader.

    Attributes:
        question: its id. text: what was asked. group: its document, which intervals are drawn over.
        strategy: the arm; taken: the strategy that read, which a router chose.
        score: by `metric`, 0 to 1; 0 where it failed. declined: it answered that the documents do not say.
        failure: error and message, empty where it did not fail.
        tokens, calls, seconds: what it was billed, failed or not. money: None where no price is known.
        expected: planned tokens; low, high: the plan's bounds; expected_seconds: planned; None where the plan did not
            say.
        predicted: quality that the policy expected of what was taken, None where nothing was compared.
        document_tokens: of all that the question could read, None where it was not counted.
    """

    question: str
    text: str
    group: str
    kind: str
    reader: str
    strategy: str
    taken: str
    metric: str
    score: float
    declined: bool = False
    failure: str = ""
    tokens: int = 0
    calls: int = 0
    seconds: float = 0.0
    money: float | None = None
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    predicted: float | None = None
    document_tokens: float | None = None
    expected_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """Some rows together; score and costs are means over questions, [low, high] is the score's 95 % interval.

    Attributes:
        money: None where a row's price is not known.
    """

    reader: str
    strategy: str
    kind: str
    questions: int
    score: float
    low: float
    high: float
    declined: int
    failed: int
    tokens: float
    calls: float
    seconds: float
    money: float | None


@dataclass(frozen=True, slots=True)
class Against:
    """One strategy against another of the same reader, on the questions that both were asked."""

    reader: str
    strategy: str
    baseline: str
    comparison: Comparison
    token_share: float | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Every row of an experiment, and what they say.

    Attributes:
        title: of reports. rows: in the order of readers, strategies, questions.
        metrics: measure -> where its rules come from. pending: rows that were not asked.
        notes: fall-backs, and whatever else a reader of the figures should know.

    Example:
        >>> row = ScoredRow("q", "Who?", "g", "fact", "m", "full", "full", "squad-f1", 1.0, tokens=90)
        >>> found = Evaluation("trial", (row,))
        >>> found.summaries()[0].score, Evaluation.from_json(found.to_json()) == found
        (1.0, True)
    """

    title: str
    rows: tuple[ScoredRow, ...]
    metrics: Mapping[str, str] = field(default_factory=dict)
    pending: int = 0
    notes: tuple[str, ...] = ()

    @property
    def arms(self) -> tuple[tuple[str, str], ...]:
        """Every reader and strategy, in order."""
        return tuple(dict.fromkeys((row.reader, row.strategy) for row in self.rows))

    def of(self, reader: str, strategy: str) -> tuple[ScoredRow, ...]:
        """The rows of one arm."""
        return tuple(row for row in self.rows if (row.reader, row.strategy) == (reader, strategy))

    def summaries(self) -> tuple[Summary, ...]:
        """One for each arm."""
        return tuple(_summary(self.of(*arm)) for arm in self.arms)

    def by_kind(self) -> tuple[Summary, ...]:
        """One for each arm and kind of question."""
        return _split(self, lambda row: row.kind)

    def against(self, baseline: str) -> tuple[Against, ...]:
        """Every other strategy against one, reader by reader; documents are drawn, not questions.

        Raises:
            ConfigError: no reader was asked by it.
        """
        if baseline not in {strategy for _, strategy in self.arms}:
            known = ", ".join(dict.fromkeys(strategy for _, strategy in self.arms))
            raise ConfigError(f"nothing was asked by {baseline!r}, to compare against: name one of {known}")
        pairs = [(reader, strategy) for reader, strategy in self.arms if strategy != baseline]
        found = (_against(self.of(r, s), self.of(r, baseline)) for r, s in pairs if self.of(r, baseline))
        return tuple(one for one in found if one is not None)

    def calibration(self, bins: int = 10) -> tuple[Bin, ...]:
        """Predicted quality against scores, over the rows whose quality was predicted."""
        known = [(row.predicted, row.score) for row in self.rows if row.predicted is not None]
        return calibration([min(1.0, max(0.0, one)) for one, _ in known], [score for _, score in known], bins)

    @property
    def calibration_error(self) -> float | None:
        """Expected calibration error; None where no quality was predicted."""
        bins = self.calibration()
        return calibration_error(bins) if bins else None

    @property
    def planned(self) -> tuple[ScoredRow, ...]:
        """Rows that were answered and whose tokens were planned."""
        return tuple(row for row in self.rows if row.expected and not row.failure)

    @property
    def plan_error(self) -> float | None:
        """Median of |actual - expected| / expected tokens; None where nothing was planned."""
        errors = [abs(row.tokens - row.expected) / row.expected for row in self.planned if row.expected]
        return median(errors) if errors else None

    @property
    def plan_held(self) -> float | None:
        """Share of planned rows whose tokens stayed within the plan's bounds."""
        bounds = [(row.low, row.tokens, row.high) for row in self.planned]
        held = [low <= tokens <= high for low, tokens, high in bounds if low is not None and high is not None]
        return fmean(held) if held else None

    def to_json(self) -> str:
        """One line of JSON."""
        from ragctx.types.serial import dump

        return dump(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> Evaluation:
        """The evaluation that `to_json` wrote; pydantic's ValidationError where it is none."""
        from ragctx.types.serial import load

        return load(cls, text)

    def _repr_html_(self) -> str:
        from importlib import import_module

        # By name: the view stands on a higher floor, and only a notebook ever asks for it.
        html: str = import_module("ragctx.views.evaluations").html(self)
        return html


def _split(found: Evaluation, key: Callable[[ScoredRow], str]) -> tuple[Summary, ...]:
    made = []
    for arm in found.arms:
        rows = found.of(*arm)
        made += [
            _summary(tuple(row for row in rows if key(row) == kind), kind) for kind in dict.fromkeys(map(key, rows))
        ]
    return tuple(made)


def _summary(rows: tuple[ScoredRow, ...], kind: str = "") -> Summary:
    scores = [row.score for row in rows]
    interval = paired_bootstrap(scores, [0.0] * len(rows), [row.group for row in rows], resamples=RESAMPLES)
    money = [row.money for row in rows]
    known = [one for one in money if one is not None]
    return Summary(
        reader=rows[0].reader,
        strategy=rows[0].strategy,
        kind=kind,
        questions=len(rows),
        score=fmean(scores),
        low=interval.low,
        high=interval.high,
        declined=sum(row.declined for row in rows),
        failed=sum(bool(row.failure) for row in rows),
        tokens=fmean(row.tokens for row in rows),
        calls=fmean(row.calls for row in rows),
        seconds=fmean(row.seconds for row in rows),
        money=fmean(known) if len(known) == len(money) else None,
    )


def _against(ours: Iterable[ScoredRow], theirs: Iterable[ScoredRow]) -> Against | None:
    other = {row.question: row for row in theirs}
    pairs = [(row, other[row.question]) for row in ours if row.question in other]
    if not pairs:
        return None
    one, two = pairs[0]
    scores = [[None if row.failure else row.score for row in side] for side in zip(*pairs, strict=True)]
    spent = sum(row.tokens for _, row in pairs)
    return Against(
        one.reader,
        one.strategy,
        two.strategy,
        paired_bootstrap(scores[0], scores[1], [row.group for row, _ in pairs], resamples=RESAMPLES),
        sum(row.tokens for row, _ in pairs) / spent if spent else None,
    )
