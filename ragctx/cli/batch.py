"""`ragctx batch`: many questions in a job file that can be killed at any moment and goes on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragctx.cli import FAILED_ROWS
from ragctx.cli.options import BudgetTokens, Config, Documents, Encoder, Json, Lambda, Reader, StrategyName
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    from ragctx.batch import Status
    from ragctx.cli.settings import Settings
    from ragctx.pipeline import Pipeline
    from ragctx.questions import Questions

app = typer.Typer(help="Many questions in a job file that can be killed and goes on.", no_args_is_help=True)

Job = Annotated[Path, typer.Argument(help="The job file.")]
MaxCost = Annotated[
    float | None,
    typer.Option("--max-cost", help="Money the whole job may spend; needed where the reader has a price.", min=0),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before spending money.")]


@app.command("run")
def run(
    questions: Annotated[Path, typer.Argument(help="Questions: .jsonl, .json, .csv, or .txt with one a line.")],
    job: Annotated[Path, typer.Option("--job", "-j", help="The job file; if it is there, the job goes on.")],
    documents: Documents = None,
    reader: Reader = None,
    encoder: Encoder = None,
    lam: Lambda = None,
    budget: BudgetTokens = None,
    strategy: StrategyName = None,
    max_cost: MaxCost = None,
    yes: Yes = False,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Answer every question of a file; run it again after a kill and it goes on. Exit code 7: some rows failed."""
    from ragctx.cli.settings import settings
    from ragctx.questions import Questions

    asked = Questions.read(questions)
    wanted = settings(config, documents=documents, reader=reader, encoder=encoder, lam=lam, budget=budget)
    _run(wanted, asked, job, strategy, max_cost, yes=yes, as_json=as_json)


@app.command("resume")
def resume(
    job: Job,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Ask failed rows again.")] = False,
    max_cost: MaxCost = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Go on with a job as it was frozen; needs nothing but its file."""
    from ragctx.batch import JobStore
    from ragctx.cli.settings import Settings

    with JobStore.open(job) as store:
        frozen, asked = store.configuration, store.questions()
        if retry_failed:
            typer.echo(f"{store.retry_failed()} failed rows will be asked again", err=True)
    if not frozen.get("settings"):
        raise ConfigError(f"{job} was made from Python: go on with the program that made it")
    _run(
        Settings.model_validate(frozen["settings"]), asked, job, frozen["strategy"], max_cost, yes=yes, as_json=as_json
    )


@app.command("status")
def status(job: Job, as_json: Json = False) -> None:
    """Say how far a job is, what it spent, and plan against actual; works while it runs."""
    from ragctx.batch import JobStore
    from ragctx.batch import status as status_of

    with JobStore.open(job) as store:
        _show(status_of(store), as_json=as_json)


@app.command("export")
def export(
    job: Job,
    target: Annotated[Path, typer.Argument(help="File to write; .csv writes flat columns, anything else JSON lines.")],
) -> None:
    """Write every finished row, failures included; the file appears whole or not at all."""
    from ragctx.batch import JobStore
    from ragctx.batch import export as write

    with JobStore.open(job) as store:
        written = write(store, target)
    tail = f"; {written.pending} rows are still pending" if written.pending else ""
    typer.echo(f"{written.rows} rows ({written.failed} failed) written to {written.path}{tail}", err=True)


def _run(
    wanted: Settings,
    asked: Questions,
    job: Path,
    strategy: str | None,
    max_cost: float | None,
    *,
    yes: bool,
    as_json: bool,
) -> None:
    from ragctx.batch import JobStore
    from ragctx.batch import status as status_of
    from ragctx.views.progress import batch

    with wanted.pipeline() as pipeline:
        _agree_on_money(pipeline, asked, wanted.budget, strategy, max_cost, yes=yes)
        with batch(len(asked)) as on_event:
            rows = pipeline.batch(
                asked, job=job, budget=wanted.budget, strategy=strategy, max_cost=max_cost, on_event=on_event
            )
            for _ in rows:
                pass  # every row is in the file; the bar shows them
    with JobStore.open(job) as store:
        now = status_of(store)
    _show(now, as_json=as_json)
    if now.failed:
        raise typer.Exit(FAILED_ROWS)


def _agree_on_money(
    pipeline: Pipeline, asked: Questions, budget: int | None, strategy: str | None, max_cost: float | None, *, yes: bool
) -> None:
    """A priced reader needs a ceiling or a yes before the first call.

    Raises:
        ConfigError: nobody is there to be asked.
    """
    import sys

    from ragctx.views.numbers import money

    prices = pipeline.models.reader.prices
    if prices is None or max_cost is not None or yes:
        return
    total = pipeline.plan(asked, budget=budget, strategy=strategy).totals.money
    bill = f"{money(total.expected)} to {money(total.high, prices.currency)}" if total else "an unknown amount"
    if not sys.stdin.isatty():
        raise ConfigError(f"this job may cost {bill}: set a ceiling with --max-cost, or agree with --yes")
    typer.confirm(f"This job may cost {bill}. Go on?", abort=True, err=True)


def _show(now: Status, *, as_json: bool) -> None:
    from ragctx.cli.output import show
    from ragctx.types.serial import plain
    from ragctx.views import terminal

    facts = plain(now) | {"pending": now.pending, "answered": now.answered, "ratios": now.ratios} if as_json else None
    show(now, as_json=as_json, data=facts, view=terminal.status)
