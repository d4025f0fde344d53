"""What the attention of an engine did: calls, tiles, time, and why it was dense where it was."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ragctx.attention.index import BlockIndex
    from ragctx.attention.selection.evidence import Evidence
    from ragctx.attention.selection.mass import Masses


@dataclass(slots=True)
class Counts:
    """The calls of one layer, or of several added up.

    A call is one layer in one step of the engine, with every request of that step.

    Attributes:
        sparse: calls that left tiles out. own: calls of our kernel that left nothing out.
        dense: calls of vLLM's own attention, by reason.
        computed: tile pairs that our kernel computed. possible: those that dense attention would have.
        seconds: CPU seconds of the process in "selection", "own" and "stock", where the clock is on.
        masses: the share of attention that sparse calls kept, by layer, where it is measured; else None.

    Example:
        >>> both = Counts(sparse=2, computed=10, possible=40) + Counts(sparse=1, computed=10, possible=10)
        >>> both.sparse, both.density
        (3, 0.4)
    """

    sparse: int = 0
    own: int = 0
    dense: Counter[str] = field(default_factory=Counter)
    computed: int = 0
    possible: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    masses: Masses | None = None

    def __add__(self, other: Counts) -> Counts:
        plain = {name: getattr(self, name) + getattr(other, name) for name in _NAMES}
        names = sorted({*self.seconds, *other.seconds})
        seconds = {name: self.seconds.get(name, 0.0) + other.seconds.get(name, 0.0) for name in names}
        masses = self.masses + other.masses if self.masses and other.masses else self.masses or other.masses
        return Counts(**plain, seconds=seconds, masses=masses)

    @classmethod
    def total(cls, counts: Iterable[Counts]) -> Counts:
        """All of them added up."""
        return reduce(cls.__add__, counts, cls())

    @property
    def density(self) -> float:
        """The share of the tile pairs of our kernel's calls that it computed; 1 where it was never called."""
        return self.computed / self.possible if self.possible else 1.0

    def took(self, index: BlockIndex) -> None:
        """Our kernel was called with this index."""
        possible = index.heads * sum(extent.pairs() for extent in index.extents)
        self.computed += len(index.blocks)
        self.possible += possible
        if len(index.blocks) < possible:
            self.sparse += 1
        else:
            self.own += 1

    def measure(self, seen: Sequence[Evidence], index: BlockIndex, every: int) -> None:
        """Compute a query of every so many tiles densely too, and take in the share of attention that it kept.

        Args:
            seen: the requests of a call.
            index: what the policy chose.
            every: tiles, see `Masses`; 0 measures nothing.
        """
        if not every:
            return
        from ragctx.attention.selection.mass import Masses

        self.masses = self.masses or Masses(every)
        for request, each in enumerate(seen):
            self.masses.measure(each, index, request)

    @contextmanager
    def clocked(self, what: str, on: bool) -> Iterator[None]:
        """Add the CPU time of what is done inside."""
        started = time.process_time() if on else 0.0
        yield
        if on:
            self.seconds[what] = self.seconds.get(what, 0.0) + time.process_time() - started

    def told(self) -> dict[str, Any]:
        """As plain values, for a report."""
        plain = {name: getattr(self, name) for name in _NAMES}
        kept = {"kept": self.masses.figures()} if self.masses else {}
        return plain | {"dense": dict(self.dense), "seconds": self.seconds, "density": round(self.density, 6)} | kept


_NAMES = ("sparse", "own", "dense", "computed", "possible")
