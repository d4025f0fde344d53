"""`ragctx batch`: many questions in a job file that can be killed at any moment and goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragctx.cli.options import Attempts, Html, Json, QuestionFile, ReaderOptions, StrategyName, settled

if TYPE_CHECKING:
    from ragctx.batch import Status
    from ragctx.cli.settings import Settings

app = typer.Typer(help="Many questions in a job file that can be killed and goes on.", no_args_is_help=True)

Job = Annotated[Path, typer.Argument(help="The job file.")]
MaxCost = Annotated[
    float | None,
    typer.Option(
        "--max-cost",
        help="Money the whole job may spend; needed where the reader has a price.",
        min=0,
        show_default=False,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before spending money.")]


@app.command("run")
@settled("documents", "reader", "option", "attempts", "encoder", "encoder_option", "ranker", "scorer", "lam", "budget")
def run(
    wanted: Settings,
    questions: QuestionFile,
    job: Annotated[Path, typer.Option("--job", "-j", help="The job file; if it is there, the job goes on.")],
    strategy: StrategyName = None,
    max_cost: MaxCost = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Answer every question of a file; run it again after a kill and it goes on. Exit code 7: some rows failed."""
    from ragctx.cli.running import Run
    from ragctx.cli.ways import chosen
    from ragctx.questions import Questions

    asked = Questions.read(questions)
    wanted, strategy = chosen(wanted, strategy)
    _finish(Run(wanted, asked, job.expanduser(), strategy, max_cost, yes).until_done(), as_json=as_json)


@app.command("resume")
def resume(
    job: Job,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Ask failed rows again.")] = False,
    option: ReaderOptions = None,
    attempts: Attempts = None,
    max_cost: MaxCost = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Go on with a job as it was frozen; needs nothing but its file. Options such as timeout=60 may differ."""
    from ragctx.cli.running import resumed

    again = resumed(job.expanduser(), option or [], attempts, max_cost, yes=yes, retry_failed=retry_failed)
    _finish(again.until_done(), as_json=as_json)


@app.command("status")
def status(job: Job, html: Html = None, as_json: Json = False) -> None:
    """Say how far a job is, what it spent, and plan against actual; works while it runs."""
    from ragctx.batch import JobStore
    from ragctx.batch import status as status_of
    from ragctx.cli.output import save_page
    from ragctx.views import html as pages

    with JobStore.open(job.expanduser()) as store:
        now = status_of(store)
    _show(now, as_json=as_json)
    save_page(html, f"Job {job.name}", now, pages.status)


@app.command("export")
def export(
    job: Job,
    target: Annotated[Path, typer.Argument(help="File to write; .csv writes flat columns, anything else JSON lines.")],
    as_json: Json = False,
) -> None:
    """Write every finished row, failures included; the file appears whole or not at all."""
    import json

    from ragctx.batch import JobStore
    from ragctx.batch import export as write
    from ragctx.views.numbers import count

    with JobStore.open(job.expanduser()) as store:
        written = write(store, target.expanduser())
    facts = {"path": str(written.path), "rows": written.rows, "failed": written.failed, "pending": written.pending}
    tail = f"; {count(written.pending, 'row')} still pending" if written.pending else ""
    line = f"{count(written.rows, 'row')} ({written.failed} failed) written to {written.path}{tail}"
    typer.echo(json.dumps(facts) if as_json else line)


def _finish(now: Status, *, as_json: bool) -> None:
    from ragctx.cli import FAILED_ROWS, OVER_LIMIT

    _show(now, as_json=as_json)
    if now.pending:
        raise typer.Exit(OVER_LIMIT)
    if now.failed:
        raise typer.Exit(FAILED_ROWS)


def _show(now: Status, *, as_json: bool) -> None:
    from ragctx.cli.output import show
    from ragctx.types.serial import plain
    from ragctx.views import terminal

    facts = plain(now) | {"pending": now.pending, "answered": now.answered, "ratios": now.ratios} if as_json else None
    show(now, as_json=as_json, data=facts, view=terminal.status)
