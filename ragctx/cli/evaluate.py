"""`ragctx evaluate`: strategies and readers on a data set with gold answers, cost beside quality."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragctx.cli.batch import MaxCost, Yes
from ragctx.cli.options import Html, Json, settled

if TYPE_CHECKING:
    from ragctx.cli.settings import Settings
    from ragctx.evaluation.results import Evaluation


@settled("documents", "reader", "option", "attempts", "encoder", "ranker", "scorer", "lam")
def evaluate(
    wanted: Settings,
    data: Annotated[
        list[str],
        typer.Argument(
            help="FORM:PATH, of own, folder, squad, longbench, leval, lara, ruler; or needles:KIND:WORDS:COUNT."
        ),
    ],
    job: Annotated[Path, typer.Option("--job", "-j", help="Folder of the jobs; if it is there, they go on.")],
    strategy: Annotated[
        list[str] | None,
        typer.Option("--strategy", "-s", help="One to compare, several times; 'router' lets the policy choose."),
    ] = None,
    also: Annotated[
        list[str] | None, typer.Option("--also", help="A further reader to compare; may be given several times.")
    ] = None,
    metric: Annotated[str, typer.Option("--metric", help="Measure for all, in place of the data set's.")] = "",
    against: Annotated[str, typer.Option("--against", help="Strategy to compare the others with.")] = "",
    limit: Annotated[int | None, typer.Option("--limit", help="Questions of each data set.", min=1)] = None,
    max_cost: MaxCost = None,
    yes: Yes = False,
    html: Html = None,
    as_json: Json = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown on standard output.")] = False,
) -> None:
    """Ask every question by every strategy and say what each scored and cost. Exit code 7: some rows failed."""
    from ragctx.cli import experimenting
    from ragctx.errors import ConfigError

    if as_json and as_markdown:
        raise ConfigError("--json and --markdown both: choose one")
    rows = tuple(example for named in data for example in experimenting.examples(named, limit))
    ways = experimenting.arms(strategy or [])
    experiment = experimenting.experiment(wanted, rows, job.expanduser(), ways, also or [], metric, max_cost)
    if against and against not in experiment.strategies:
        raise ConfigError(f"--against {against} is not asked: add --strategy {against}")
    experimenting.agree_on_money(wanted, max_cost, yes=yes)
    found = experimenting.run(experiment.run)
    _show(found, against, as_json=as_json, as_markdown=as_markdown)
    _save(html, found, against)
    _finish(found)


def _show(found: Evaluation, against: str, *, as_json: bool, as_markdown: bool) -> None:
    from functools import partial

    from ragctx.cli.output import show
    from ragctx.types.serial import plain
    from ragctx.views import evaluations

    if as_markdown:
        typer.echo(evaluations.markdown(found, against), nl=False)
        return
    data = None
    if as_json:
        data = json.loads(found.to_json()) | {
            "summaries": plain(found.summaries()),
            "by_kind": plain(found.by_kind()),
            "against": plain(found.against(against)) if against else [],
            "plan_error": found.plan_error,
            "plan_held": found.plan_held,
            "calibration_error": found.calibration_error,
        }
    show(found, as_json=as_json, data=data, view=partial(evaluations.summary, baseline=against))


def _save(path: Path | None, found: Evaluation, against: str) -> None:
    from functools import partial

    from ragctx.cli.output import save_page
    from ragctx.views import evaluations

    save_page(path, found.title, found, partial(evaluations.html, baseline=against))


def _finish(found: Evaluation) -> None:
    from ragctx.cli import FAILED_ROWS, OVER_LIMIT

    if found.pending:
        raise typer.Exit(OVER_LIMIT)
    if any(row.failure for row in found.rows):
        raise typer.Exit(FAILED_ROWS)
