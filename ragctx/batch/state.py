"""Where a job stands: rows by state, what was spent, and the plan against what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ragctx.batch.results import Spent

if TYPE_CHECKING:
    from ragctx.batch.store import JobStore

_COUNTS = """
SELECT (SELECT count(*) FROM rows), (SELECT count(*) FROM answers),
(SELECT count(*) FROM answers WHERE answerable = 0), (SELECT count(*) FROM failures WHERE retry = 0)
"""
_RATIOS = """
WITH actual AS (SELECT r.position, r.tokens, r.calls, r.seconds, r.money,
sum(c.prompt + c.output) FILTER (WHERE c.role NOT IN ('encoder', 'ranker', 'scorer')) AS spent_tokens,
count(c.number) FILTER (WHERE c.role NOT IN ('encoder', 'ranker', 'scorer')) AS spent_calls,
sum(c.seconds) AS spent_seconds, sum(c.money) AS spent_money
FROM answers a JOIN rows r USING (position) LEFT JOIN charges c ON c.row = r.key AND c.claimed = 1 GROUP BY r.position)
SELECT sum(tokens), sum(CASE WHEN tokens IS NOT NULL THEN spent_tokens END),
sum(calls), sum(CASE WHEN calls IS NOT NULL THEN spent_calls END),
sum(seconds), sum(CASE WHEN seconds IS NOT NULL THEN spent_seconds END),
sum(money), sum(CASE WHEN money IS NOT NULL THEN spent_money END)
FROM actual
"""
_FAILURES = "SELECT name, count(*) FROM failures WHERE retry = 0 GROUP BY name ORDER BY count(*) DESC, name"


@dataclass(frozen=True, slots=True)
class Status:
    """Counts of rows, and amounts over every run of the job.

    Attributes:
        done: rows with an answer. declined: those of them that say the documents do not tell.
        failed: rows with a failure; `retry_failed` makes them pending. pending: rows still to be asked.
        spent: everything billed, unfinished and failed rows included.
        expected: "tokens", "calls", "seconds", "money" -> what the plan expected of the rows that are done.
        actual: the same of what they were billed; a name is missing where the plan does not know it.
        failures: error class -> rows. stopped: why the last run left rows pending; empty where it did not say.
    """

    total: int
    done: int
    declined: int
    failed: int
    spent: Spent = field(default_factory=Spent)
    expected: Mapping[str, float] = field(default_factory=dict)
    actual: Mapping[str, float] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    stopped: str = ""

    @property
    def pending(self) -> int:
        """Rows without answer or failure."""
        return self.total - self.done - self.failed

    @property
    def answered(self) -> int:
        """Rows whose answer is one."""
        return self.done - self.declined

    @property
    def tokens(self) -> int:
        """Prompt plus output tokens billed."""
        return self.spent.tokens

    @property
    def money(self) -> float | None:
        """Money billed; None where no price is known."""
        return self.spent.money

    @property
    def seconds(self) -> float:
        """Seconds of all calls, summed."""
        return self.spent.seconds

    @property
    def ratios(self) -> dict[str, float]:
        """Actual over expected for the rows that are done: 1.0 is a plan that held.

        Example:
            >>> Status(2, 2, 0, 0, expected={"tokens": 100.0}, actual={"tokens": 110.0}).ratios
            {'tokens': 1.1}
        """
        return {name: self.actual[name] / value for name, value in self.expected.items() if value > 0}

    def _repr_html_(self) -> str:
        from importlib import import_module

        # By name: the view stands on a higher floor, and only a notebook ever asks for it.
        html: str = import_module("ragctx.views.html").status(self)
        return html


def status(store: JobStore) -> Status:
    """Where the job stands now; another process may be running it."""
    [counts] = store.query(_COUNTS)
    [ratios] = store.query(_RATIOS)
    names = ("tokens", "calls", "seconds", "money")
    known = {
        name: (ratios[2 * i], ratios[2 * i + 1] or 0.0) for i, name in enumerate(names) if ratios[2 * i] is not None
    }
    total, done, declined, failed = counts
    return Status(
        total,
        done,
        declined,
        failed,
        spent=store.spent(),
        expected={name: float(pair[0]) for name, pair in known.items()},
        actual={name: float(pair[1]) for name, pair in known.items()},
        failures=dict(store.query(_FAILURES)),
        stopped=store.about("stopped") or "",
    )
