"""Progress on standard error: indexing, answers as they are written, jobs with tokens a second and time left.

Bars leave nothing behind, and are silent where standard error is no terminal.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.padding import Padding
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.spinner import Spinner
from rich.text import Text

from ragctx.engine import Delta
from ragctx.engine import Progress as Answering
from ragctx.pipeline import Done, Planned
from ragctx.views.numbers import count, seconds, size, whole
from ragctx.views.text import DIM, clean, console, one_line

if TYPE_CHECKING:
    from ragctx.batch import Tick
    from ragctx.corpus import Progress as Indexed
    from ragctx.pipeline import Event
    from ragctx.types import Answer

STAGE = 10
NAME_SHOWN = 24
TAIL = 6


def shown() -> bool:
    """Whether somebody is watching standard error."""
    return sys.stderr.isatty()


def bars() -> Progress:
    """Bars whose texts are plain: a file's name is never read as markup."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:" + str(STAGE) + "}", markup=False),
        BarColumn(bar_width=16),
        TimeElapsedColumn(),
        TextColumn("{task.fields[detail]}", markup=False),
        console=console(stderr=True),
        transient=True,
        disable=not shown(),
        # What is printed to a standard output that goes elsewhere must not be drawn above the bar.
        redirect_stdout=sys.stdout.isatty(),
    )


@contextmanager
def indexing() -> Iterator[Callable[[Indexed], None]]:
    """A callback for `Corpus.over(progress=...)` that draws one bar a stage."""
    with bars() as progress:
        tasks: dict[str, _Task] = {}

        def show(event: Indexed) -> None:
            task = tasks.setdefault(event.stage, _Task(progress, event.stage))
            amount = size if event.unit == "bytes" else whole
            name = one_line(clean(event.at), NAME_SHOWN)
            task.update(event.done, event.total, f"{amount(event.done)} of {amount(event.total)}", name)

        yield show


@contextmanager
def embedding(chunks: int) -> Iterator[Callable[[object], None]]:
    """A callback for `Pipeline.prepare(on_event=...)`: how many requests to the encoder are back, and its speed.

    Until an encoder is asked for anything, which need not be, other indexes are being built.
    """
    with bars() as progress:
        task = _Task(progress, "preparing", "the indexes")

        def show(event: object) -> None:
            if isinstance(event, Answering):
                task.embedding(event, chunks)

        yield show


class _Task:
    """One bar, with what is left of its time."""

    def __init__(self, progress: Progress, stage: str, detail: str = "") -> None:
        self._progress, self._id = progress, progress.add_task(stage, total=None, detail=detail)
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the stage began."""
        return max(time.monotonic() - self._began, 1e-6)

    def update(self, done: float, total: float, *details: str, stage: str | None = None) -> None:
        """Move the bar, and give it another name."""
        share = done / total if total else 0.0
        left = f"{seconds(self.seconds * (1 - share) / share)} left" if 0 < share < 1 and self.seconds > 2 else ""
        detail = ", ".join(filter(None, (*details, left)))
        self._progress.update(self._id, description=stage, completed=done, total=total or None, detail=detail)

    def embedding(self, event: Answering, chunks: int) -> None:
        """Move the bar by what an encoder has done of a corpus."""
        pace = f"{event.tokens / self.seconds:,.0f} tokens/s" if event.done else "loading the encoder"
        # Only the work knows how many windows are still to come; the chunks say it well enough.
        self.update(event.done, max(event.asked, -(-chunks // 64)), pace, stage="embedding")

    def answering(self, tick: Tick) -> None:
        """Move the bar by the rows of a job, which tells itself what is left of its time."""
        parts = [f"{whole(tick.done + tick.failed)} of {whole(tick.total)}"]
        parts += [f"{tick.tokens_per_second:,.0f} tokens/s"] if tick.finished else []
        parts += [f"{seconds(tick.seconds_left)} left"] if tick.seconds_left else []
        parts += [f"{whole(tick.failed)} failed"] if tick.failed else []
        done, detail = tick.done + tick.failed, ", ".join(parts)
        self._progress.update(self._id, description="answering", completed=done, total=tick.total, detail=detail)


@contextmanager
def batch(total: int, chunks: int = 0) -> Iterator[Callable[[object], None]]:
    """A callback for a job's events that draws one bar: the indexes first, then rows, tokens a second and time left.

    Args:
        total: rows of the job.
        chunks: of the corpus that may have to be indexed.
    """
    from ragctx.batch import Tick

    with bars() as progress:
        task = _Task(progress, "preparing", f"the indexes for {count(total, 'question')}")
        begun = False

        def show(event: object) -> None:
            nonlocal begun
            if isinstance(event, Tick):
                begun = True
                task.answering(event)
            elif isinstance(event, Answering) and not begun:  # later ones are of the rows, which ticks tell better
                task.embedding(event, chunks)

        yield show


class _Writing:
    """What a stream has told so far: the decision, the requests, and the last lines of the text."""

    def __init__(self) -> None:
        self._said, self._text, self._spinner = "planning", "", Spinner("dots")
        self._began = time.monotonic()

    def take(self, event: Event) -> None:
        """One more event."""
        if isinstance(event, Planned):
            self._said = f"{event.decision.strategy}: {event.decision.why}"
        elif isinstance(event, Delta):
            self._text = event.text if event.restart else self._text + event.text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        elapsed = seconds(time.monotonic() - self._began)
        self._spinner.update(text=Text(one_line(clean(f"{elapsed}  {self._said}"), options.max_width - 6), DIM))
        yield self._spinner
        lines = Text(clean(self._text)).wrap(console, options.max_width - 4)
        yield Padding(Text("\n").join(lines[-TAIL:]), (0, 0, 0, 2))


def streamed(events: Iterable[Event], *, quiet: bool = False) -> Answer:
    """The answer at the end of a stream; until then its text grows on standard error, and is wiped at the end.

    Args:
        events: of `Pipeline.stream`.
        quiet: show nothing.
    """
    writing = _Writing()
    visible = shown() and not quiet
    live = Live(writing, console=console(stderr=True), transient=True, refresh_per_second=8, redirect_stdout=False)
    with live if visible else nullcontext():
        for event in events:
            writing.take(event)
            if isinstance(event, Done):
                return event.answer
    raise RuntimeError("a stream ended without an answer")
