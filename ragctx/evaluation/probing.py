"""Measures how far a reader really reads: needles at doubling lengths, until it finds clearly fewer of them.

A model's declared window is what it accepts. Its effective window is the longest length at which it, and at every
length below it, still scores `HELD` of what it scores at the shortest one (after RULER, arXiv 2404.06654, which
compares with a fixed score instead).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from ragctx import windows
from ragctx.engine import Engine, Job, Outcome
from ragctx.errors import DoesNotFit, RequestFailed
from ragctx.evaluation.battery import OUTPUT, Battery, Task
from ragctx.evaluation.measures import metric
from ragctx.types import Answer, Usage
from ragctx.windows import Measured
from ragctx.work import Generate, Sampling, Work, ask

if TYPE_CHECKING:
    from ragctx.contracts import Backend
    from ragctx.engine import ReplyStore
    from ragctx.models import ModelFacts

HELD: Final = 0.8
FLOOR: Final = 0.5
_MEASURE: Final = metric("ruler-all")
# Failures that tell of reading: the reader would not take so long a prompt, or said nothing of use.
_READING: Final = frozenset({"too_long", "empty", "malformed"})
_STOP: Final = ("\nQuestion:",)


@dataclass(frozen=True, slots=True)
class Step:
    """One length: how many prompts were right, and how many got no reply of use (they count as wrong)."""

    length: int
    prompts: int
    right: int
    failed: int = 0

    @property
    def score(self) -> float:
        """Share that was right, 0 to 1."""
        return self.right / self.prompts


@dataclass(frozen=True, slots=True)
class Probed:
    """What a probe found and cost.

    Attributes:
        measured: what the router goes by. steps: every length asked, shortest first.
        usage: billed now; replies kept by an earlier run that was stopped cost nothing again.
    """

    measured: Measured
    steps: tuple[Step, ...]
    usage: Usage

    @property
    def verdict(self) -> str:
        """In words, what was found."""
        found, first = self.measured, self.steps[0]
        if found.tokens is None:
            return (
                f"the effective window cannot be told: {first.right} of {first.prompts} were right at "
                f"{first.length:,} tokens, at least half must be; the declared window stands in"
            )
        if found.at_least:
            return f"effective window: at least {found.tokens:,} tokens, the longest that was asked"
        last = self.steps[-1]
        return (
            f"effective window: {found.tokens:,} tokens; at {last.length:,} it scores {last.score:.2f}, under "
            f"{HELD:g} of its {first.score:.2f} at {first.length:,}"
        )


def probe(
    backend: Backend,
    battery: Battery | None = None,
    *,
    store: ReplyStore | None = None,
    attempts: int = 4,
    on_step: Callable[[Step], None] | None = None,
    date: str = "",
    keep: bool = True,
) -> Probed:
    """Ask a reader the battery, shortest first, until a length is not read; keep what was found for the router.

    Args:
        backend: the reader; it is closed at the end.
        battery: up to its whole window when not given.
        store: keeps replies, so that a probe that was stopped goes on where it was.
        attempts: tries for a call that may yet succeed.
        on_step: called after every length.
        date: of today, ISO.
        keep: False leaves what the router knows as it is, for a look with few prompts.

    Raises:
        ConfigError: the battery does not suit the reader. RequestFailed: calls failed for a reason that says nothing of
            reading, such as a server that is down; nothing is kept as measured.

    Example:
        >>> from ragctx.readers.scripted import Scripted
        >>> found = probe(Scripted(default="It does not say.", window=1000), Battery((1000,), prompts=2))
        >>> found.measured.tokens is None, found.steps[0].score, found.usage.calls
        (True, 0.0, 2)
    """
    facts = backend.facts
    battery = battery or Battery.of(facts)
    steps: list[Step] = []
    bills: list[Usage] = []
    with _engine(backend, store, attempts) as engine:
        for length in battery.lengths:
            step, usage = _step(engine, list(battery.tasks(length, facts)), length)
            steps.append(step)
            bills.append(usage)
            if on_step is not None:
                on_step(step)
            if not _holds(step, steps[0]):
                break
    scores = tuple((step.length, step.score) for step in steps)
    found = Measured(facts.name, judged(steps), battery.most, scores, battery.prompts, battery.seed, date)
    if keep:
        windows.keep(identity(facts), found)
    return Probed(found, tuple(steps), Usage.total(bills))


@contextmanager
def _engine(backend: Backend, store: ReplyStore | None, attempts: int) -> Iterator[Engine]:
    """The engine, closed at the end; not under Ctrl-C, as what a model is at work on cannot be called back."""
    engine = Engine({"reader": backend}, store=store, attempts=attempts)
    try:
        yield engine
    except KeyboardInterrupt:
        raise
    except BaseException:
        engine.close()
        raise
    engine.close()


def identity(facts: ModelFacts) -> str:
    """What a reader's figure is kept under."""
    return facts.identity or facts.name


def judged(steps: Sequence[Step]) -> int | None:
    """The effective window by the lengths asked, shortest first; None where the shortest is under the floor.

    Example:
        >>> judged([Step(1000, 10, 10), Step(2000, 10, 8), Step(4000, 10, 7)])
        2000
    """
    held = [step.length for step in takewhile(lambda step: _holds(step, steps[0]), steps)]
    return held[-1] if held else None


def _holds(step: Step, first: Step) -> bool:
    return first.score >= FLOOR and step.score >= HELD * first.score - 1e-9


def _step(engine: Engine, tasks: Sequence[Task], length: int) -> tuple[Step, Usage]:
    jobs = (Job(str(at), partial(_asked, task)) for at, task in enumerate(tasks))
    outcomes = list(engine.map(jobs))
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    _must_tell_of_reading(failed, length, len(tasks))
    right = sum(_right(outcome, tasks[int(outcome.key)]) for outcome in outcomes)
    return Step(length, len(tasks), right, len(failed)), Usage.total(outcome.usage for outcome in outcomes)


def _asked(task: Task) -> Work[str]:
    sampling = Sampling(max_tokens=OUTPUT, stop=_STOP)
    completion = yield from ask(Generate(task.messages, purpose="probe", sampling=sampling))
    return completion.text


def _right(outcome: Outcome[str], task: Task) -> bool:
    return outcome.value is not None and _MEASURE.of(Answer(outcome.value), task.question) == 1


def _must_tell_of_reading(failed: Sequence[Outcome[str]], length: int, asked: int) -> None:
    """Failures of which the reader's reading is no cause end the probe: they would be counted against it.

    Raises:
        RequestFailed: with the first of them.
    """
    others = [one.error for one in failed if one.error is not None and not _of_reading(one.error)]
    if not others:
        return
    first = others[0]
    if not isinstance(first, RequestFailed):
        raise first
    told = f"{len(others)} of {asked} prompts of {length:,} tokens failed: {first}"
    raise RequestFailed(
        first.kind, f"{told}; replies so far are kept: mend it and run the same command again"
    ) from first


def _of_reading(error: Exception) -> bool:
    return isinstance(error, DoesNotFit) or (isinstance(error, RequestFailed) and error.kind in _READING)
