"""Progress on standard error: indexing, streamed answers, batch jobs with tokens a second and time left."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ragctx.engine import Delta
from ragctx.pipeline import Done
from ragctx.views.terminal import console

if TYPE_CHECKING:
    from ragctx.corpus import Progress as Indexed
    from ragctx.pipeline import Event
    from ragctx.types import Answer


def bars(*columns: str) -> Progress:
    """A bar on standard error that leaves nothing behind; silent where that is not a terminal."""
    extra = [TextColumn(column) for column in columns]
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        *extra,
        TimeRemainingColumn(),
        console=console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


@contextmanager
def indexing() -> Iterator[Callable[[Indexed], None]]:
    """A callback for `Corpus.over(progress=...)` that draws one bar a stage."""
    with bars() as progress:
        stages: dict[str, object] = {}

        def show(event: Indexed) -> None:
            if event.stage not in stages:
                stages[event.stage] = progress.add_task(event.stage, total=event.total)
            progress.update(stages[event.stage], completed=event.done, total=event.total)  # type: ignore[arg-type]

        yield show


def streamed(events: Iterable[Event], *, quiet: bool = False) -> Answer:
    """The answer at the end of a stream; its text appears on standard error as it is written."""
    out = console(stderr=True)
    shown = not quiet and sys.stderr.isatty()
    answer: Answer | None = None
    for event in events:
        if isinstance(event, Delta) and shown:
            out.print(event.text, end="", style="dim")
        elif isinstance(event, Done):
            answer = event.answer
    if shown:
        out.print()
    if answer is None:
        raise RuntimeError("a stream ended without an answer")
    return answer


@contextmanager
def batch(total: int) -> Iterator[Callable[[object], None]]:
    """A callback for a job's events that draws one bar with tokens a second and time left."""
    from ragctx.batch import Tick

    with bars("{task.fields[speed]}") as progress:
        task = progress.add_task("questions", total=total, speed="")

        def show(event: object) -> None:
            if isinstance(event, Tick):
                speed = f"{event.tokens_per_second:,.0f} tokens/s" if event.finished else ""
                progress.update(task, completed=event.done + event.failed, speed=speed)

        yield show
