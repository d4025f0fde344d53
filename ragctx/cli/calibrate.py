"""`ragctx calibrate`: a policy fitted to one's own questions, readers and strategies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragctx.cli.batch import MaxCost, Yes
from ragctx.cli.options import Json, settled

if TYPE_CHECKING:
    from ragctx.cli.settings import Settings
    from ragctx.evaluation.calibration import Calibration
    from ragctx.evaluation.outcomes import Matrix
    from ragctx.routing import Policy


@settled("documents", "reader", "option", "attempts", "encoder", "ranker", "scorer", "lam")
def calibrate(
    wanted: Settings,
    data: Annotated[
        list[str],
        typer.Argument(help="Labelled questions, FORM:PATH as evaluate takes them; or outcomes:FILE to fit again."),
    ],
    job: Annotated[Path, typer.Option("--job", "-j", help="Folder of the jobs; if it is there, they go on.")],
    policy: Annotated[Path, typer.Option("--write", "-w", help="The policy file to write.")],
    strategy: Annotated[
        list[str] | None,
        typer.Option("--strategy", "-s", help="One to choose among, several times; by default the router's own."),
    ] = None,
    also: Annotated[
        list[str] | None, typer.Option("--also", help="A further reader; may be given several times.")
    ] = None,
    metric: Annotated[str, typer.Option("--metric", help="Measure for all, in place of the data set's.")] = "",
    limit: Annotated[int | None, typer.Option("--limit", help="Questions of each data set.", min=1)] = None,
    floor: Annotated[
        float,
        typer.Option("--floor", help="Strategies predicted below it are out where another reaches it.", min=0, max=1),
    ] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="Of the parts that documents are drawn into.")] = 0,
    max_cost: MaxCost = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Run strategies over labelled questions and fit a policy to what they scored and cost.

    Outcomes are kept in the job's folder. The policy is used by --config's `policy`, or RAGCTX_POLICY.
    """
    from ragctx.cli.output import show
    from ragctx.evaluation.calibration import calibrate as fit
    from ragctx.routing import Policy
    from ragctx.views import calibrations

    base = _base(Policy.load(wanted.policy))
    matrix = _outcomes(data)
    if matrix is None:
        folder = job.expanduser()
        matrix = _asked(wanted, base, data, folder, strategy, also, metric, limit, max_cost, yes=yes)
    target = policy.expanduser()
    found = fit(
        matrix,
        base,
        lam=wanted.lam,
        floor=floor,
        seed=seed,
        data=data,
        date=_today(),
        command=_command(),
        base_file=str(Path(wanted.policy).expanduser().absolute()) if wanted.policy else "",
    )
    target.write_text(found.fitted.to_json(), encoding="utf-8")
    show(found, as_json=as_json, data=_facts(found, target), view=lambda one: calibrations.summary(one, str(target)))


def _base(policy: Policy) -> Policy:
    """The policy itself.

    Raises:
        ConfigError: it is a fitted one.
    """
    from ragctx.errors import ConfigError

    if policy.fitted is not None:
        raise ConfigError(f"the policy in force, {policy.label}, is a fitted one: leave it out, or name its base")
    return policy


def _outcomes(data: list[str]) -> Matrix | None:
    """The outcomes of an earlier run, where a file of them is named."""
    from ragctx.errors import ConfigError
    from ragctx.evaluation.outcomes import Matrix

    files = [rest for form, _, rest in (one.partition(":") for one in data) if form == "outcomes"]
    if not files:
        return None
    if len(files) < len(data):
        raise ConfigError("outcomes:FILE beside questions to ask: give one or the other")
    rows = [row for name in files for row in Matrix.read(Path(name).expanduser()).rows]
    return Matrix(tuple(rows))


def _asked(
    wanted: Settings,
    base: Policy,
    data: list[str],
    folder: Path,
    strategy: list[str] | None,
    also: list[str] | None,
    metric: str,
    limit: int | None,
    max_cost: float | None,
    *,
    yes: bool,
) -> Matrix:
    """Run what is still to be run, and keep the outcomes."""
    from ragctx.assembly import considered
    from ragctx.cli import experimenting
    from ragctx.errors import ConfigError
    from ragctx.evaluation.outcomes import measured
    from ragctx.evaluation.results import ROUTER

    rows = tuple(example for named in data for example in experimenting.examples(named, limit))
    every = experimenting.arms(strategy or [])
    ways = tuple(dict.fromkeys(strategy)) if strategy else tuple(sorted(considered(set(every) - {ROUTER}, base)))
    if ROUTER in ways or len(ways) < 2:
        raise ConfigError("name two strategies or more to choose among; the router itself is none of them")
    free = wanted.model_copy(update={"lam": None})  # each strategy is named: lambda is weighed after, and may differ
    experiment = experimenting.experiment(free, rows, folder, ways, also or [], metric, max_cost)
    experimenting.agree_on_money(wanted, max_cost, yes=yes)
    matrix = experimenting.run(lambda told: measured(experiment, told))
    matrix.write(folder / "outcomes.jsonl")
    return matrix


def _today() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).date().isoformat()


def _command() -> str:
    import shlex
    import sys

    return shlex.join(["ragctx", *sys.argv[1:]])


def _facts(found: Calibration, target: Path) -> dict[str, object]:
    from ragctx.types.serial import plain

    facts: dict[str, object] = plain(found)
    del facts["fitted"]
    return facts | {"policy": str(target), "digest": found.fitted.digest}
