"""The money a whole job may spend: no row is begun that would be expected to pass it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from ragctx.batch.results import PlannedRow
from ragctx.errors import ConfigError


@dataclass(slots=True)
class Ceiling:
    """What was spent, what is under way, and the ceiling over both.

    Rows are begun on one thread and finished on another, so all is under a lock.

    Attributes:
        most: None for no ceiling. spent: by every run so far, in the currency of the reader's `Prices`.
    """

    most: float | None
    spent: float = 0.0
    _under_way: dict[int, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def admits(self, row: PlannedRow, already: float = 0.0) -> bool:
        """Whether the row may begin; if so, what it is expected to spend is set aside.

        Args:
            row: about to begin.
            already: what earlier runs spent on it, which it will not spend again.

        Raises:
            ConfigError: the row's money is unknown, so that no ceiling could hold.
        """
        if self.most is None:
            return True
        if row.money is None:
            raise ConfigError(
                f"question {row.question.id!r} has no known price, so a ceiling of {self.most:,.6g} cannot be kept: "
                "give the reader's prices, or drop the ceiling"
            )
        expected = max(0.0, row.money - already)
        with self._lock:
            if self.spent + sum(self._under_way.values()) + expected > self.most:
                return False
            self._under_way[row.position] = expected
            return True

    def settle(self, row: PlannedRow, money: float | None) -> None:
        """The row is finished and this run spent so much on it."""
        with self._lock:
            self._under_way.pop(row.position, None)
            self.spent += money or 0.0
