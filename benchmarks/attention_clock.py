"""CPU seconds of several ways to do the same, taken in turn, and how many times faster one is than another."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

Run = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of the calling thread, for each way one number a round.

    Attributes:
        seconds: by name.
        threads: the most that any run took of all threads of the process, over what it took of this one: 1 where
            nothing was computed elsewhere.
    """

    seconds: Mapping[str, Sequence[float]]
    threads: float

    def times(self, ours: str, theirs: str) -> dict[str, float]:
        """How many times faster `ours` is: the median of the rounds' ratios, the least and the most."""
        return spread([their / our for our, their in zip(self.seconds[ours], self.seconds[theirs], strict=True)])

    def told(self) -> dict[str, Any]:
        """As plain values; the seconds are medians."""
        seconds = {name: rounded(median(each)) for name, each in self.seconds.items()}
        return {"seconds": seconds, "rounds": len(next(iter(self.seconds.values()))), "threads": round(self.threads, 3)}


def taken(runs: Mapping[str, Run], rounds: int, warm: bool = True) -> Times:
    """Run all of them once a round, each round beginning with another one.

    Args:
        runs: by name.
        rounds: how many.
        warm: whether each runs once before, uncounted; not worth it where one takes minutes.
    """
    if warm:
        for run in runs.values():
            run()
    names, most = list(runs), 1.0
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            all_threads, this_one = time.process_time(), time.thread_time()
            runs[name]()
            spent = time.thread_time() - this_one
            most = max(most, (time.process_time() - all_threads) / spent)
            seconds[name].append(spent)
    return Times(seconds, most)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most, three digits each.

    Example:
        >>> spread([2.0, 4.0, 3.0])
        {'median': 3.0, 'least': 2.0, 'most': 4.0}
    """
    return {
        "median": rounded(median(values)),
        "least": rounded(min(values)),
        "most": rounded(max(values)),
    }


def rounded(value: float) -> float:
    """Four digits.

    Example:
        >>> rounded(12.34567), rounded(0.000123456)
        (12.35, 0.0001235)
    """
    return float(f"{value:.4g}")
