"""`ragctx evaluate`: strategies and readers on a data set with gold answers, cost beside quality."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragctx.cli.batch import MaxCost, Yes
from ragctx.cli.options import NONE, Html, Json, settled

if TYPE_CHECKING:
    from ragctx.cli.settings import Settings
    from ragctx.evaluation.datasets import Example
    from ragctx.evaluation.experiment import Experiment
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
    from ragctx.errors import ConfigError

    if as_json and as_markdown:
        raise ConfigError("--json and --markdown both: choose one")
    examples = tuple(example for named in data for example in _examples(named, limit))
    experiment = _experiment(wanted, examples, job.expanduser(), _arms(strategy or []), also or [], metric, max_cost)
    if against and against not in experiment.strategies:
        raise ConfigError(f"--against {against} is not asked: add --strategy {against}")
    _agree_on_money(wanted, max_cost, yes=yes)
    found = _run(experiment)
    _show(found, against, as_json=as_json, as_markdown=as_markdown)
    _save(html, found, against)
    _finish(found)


def _experiment(
    wanted: Settings,
    examples: tuple[Any, ...],
    folder: Path,
    arms: tuple[str, ...],
    also: list[str],
    metric: str,
    max_cost: float | None,
) -> Experiment:
    from ragctx.evaluation import measures
    from ragctx.evaluation.experiment import Experiment

    if metric:
        measures.metric(metric)  # a wrong name is told at once
    readers: dict[str, object] = {wanted.reader: wanted.open_reader()[0]}
    readers |= {name: wanted.model_copy(update={"reader": name, "options": {}}).open_reader()[0] for name in also}
    options = {
        "encoder": None if wanted.encoder == NONE else wanted.encoder,
        "ranker": None if wanted.ranker == NONE else wanted.ranker,
        "scorer": None if wanted.scorer == NONE else wanted.scorer,
        "roles": wanted.roles,
        "policy": wanted.policy,
        "lam": wanted.lam,
        "attempts": wanted.attempts,
    }
    title = f"Evaluation of {', '.join(arms)}"
    return Experiment(examples, folder, arms, readers, metric, wanted.documents, options, max_cost, title)


def _examples(named: str, limit: int | None) -> Iterator[Example]:
    from itertools import islice

    from ragctx.evaluation.datasets import read
    from ragctx.evaluation.needles import generated

    form, _, rest = named.partition(":")
    return islice(generated(rest), limit) if form == "needles" else read(named, limit=limit)


def _arms(named: list[str]) -> tuple[str, ...]:
    """The strategies named, each once; the router and all that are installed where none is."""
    from ragctx import registry
    from ragctx.evaluation.results import ROUTER

    for name in named:
        if name != ROUTER:
            registry.find("strategies", name)
    return tuple(dict.fromkeys(named)) or (ROUTER, *registry.names("strategies"))


def _agree_on_money(wanted: Settings, max_cost: float | None, *, yes: bool) -> None:
    """A priced reader needs a ceiling or a yes: every strategy reads every question.

    Raises:
        ConfigError: there is neither.
    """
    from ragctx.errors import ConfigError

    if wanted.prices is not None and max_cost is None and not yes:
        raise ConfigError(
            "the reader has a price: set a ceiling for each strategy with --max-cost, or agree with --yes"
        )


def _run(experiment: Experiment) -> Evaluation:
    from ragctx.batch import Tick
    from ragctx.cli import INTERRUPTED
    from ragctx.cli.failures import complain

    def told(event: object) -> None:
        if isinstance(event, Tick) and event.pending == 0:
            typer.echo("a strategy is done", err=True)

    try:
        return experiment.run(told)
    except KeyboardInterrupt:
        complain("stopped: what was asked is kept; run the same command again and it goes on")
        raise typer.Exit(INTERRUPTED) from None


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
