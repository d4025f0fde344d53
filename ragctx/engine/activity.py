"""Knows whether anything is about to arrive, so that a batch backend is called neither too early nor too late."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Activity:
    """Counts what moves and what is out; only the engine's loop thread touches it.

    A work that is being stepped moves, and so does a request on its way to a backend or back from one. A request that
    waits at a backend or for a retry does not. When nothing moves, no request can reach a batch backend except by a
    reply of another backend (`out`), so a gathered batch may go.

    Attributes:
        moving: works and requests under way. out: requests being served.
        listeners: called each time that nothing moves any more.
    """

    moving: int = 0
    out: int = 0
    listeners: list[Callable[[], None]] = field(default_factory=list)

    @property
    def quiet(self) -> bool:
        """Nothing moves and nothing is being served."""
        return self.moving == 0 and self.out == 0

    def add(self, change: int) -> None:
        """So many more (or fewer) things move."""
        self.moving += change
        if self.moving == 0:
            for listener in self.listeners:
                listener()
