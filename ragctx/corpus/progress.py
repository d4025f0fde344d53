"""What an index run tells whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one stage has come.

    Attributes:
        stage: "indexing" (files read and cut into chunks).
        done: units behind us. total: units there are; 0 where nobody knows yet. unit: "bytes" or "documents".
        at: the file or document in hand.

    Example:
        >>> Progress("indexing", 50, 200, "bytes").share
        0.25
    """

    stage: str
    done: int
    total: int
    unit: str
    at: str = ""

    @property
    def share(self) -> float:
        """Done over total, 0 to 1; 0 while the total is unknown."""
        return min(1.0, self.done / self.total) if self.total else 0.0


Report = Callable[[Progress], None]
