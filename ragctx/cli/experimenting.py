"""What `evaluate` and `calibrate` share: questions, readers, strategies, the agreement on money, and the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from ragctx.cli.options import NONE

if TYPE_CHECKING:
    from ragctx.cli.settings import Settings
    from ragctx.evaluation.datasets import Example
    from ragctx.evaluation.experiment import Experiment

T = TypeVar("T")


def experiment(
    wanted: Settings,
    rows: tuple[Any, ...],
    folder: Path,
    ways: tuple[str, ...],
    also: list[str],
    metric: str,
    max_cost: float | None,
) -> Experiment:
    """Every reader named, asked by these strategies."""
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
    title = f"Evaluation of {', '.join(ways)}"
    return Experiment(rows, folder, ways, readers, metric, wanted.documents, options, max_cost, title)


def examples(named: str, limit: int | None) -> Iterator[Example]:
    """The questions of one data set."""
    from itertools import islice

    from ragctx.evaluation.datasets import read
    from ragctx.evaluation.needles import generated

    form, _, rest = named.partition(":")
    return islice(generated(rest), limit) if form == "needles" else read(named, limit=limit)


def arms(named: list[str]) -> tuple[str, ...]:
    """The strategies named, each once; the router and all that are installed where none is."""
    from ragctx import registry
    from ragctx.evaluation.results import ROUTER

    for name in named:
        if name != ROUTER:
            registry.find("strategies", name)
    return tuple(dict.fromkeys(named)) or (ROUTER, *registry.names("strategies"))


def agree_on_money(wanted: Settings, max_cost: float | None, *, yes: bool) -> None:
    """A priced reader needs a ceiling or a yes: every strategy reads every question.

    Raises:
        ConfigError: there is neither.
    """
    from ragctx.errors import ConfigError

    if wanted.prices is not None and max_cost is None and not yes:
        raise ConfigError(
            "the reader has a price: set a ceiling for each strategy with --max-cost, or agree with --yes"
        )


def run(job: Callable[[Callable[[object], None]], T]) -> T:
    """Run until it is done; stopped by hand, it says how to go on."""
    from ragctx.batch import Tick
    from ragctx.cli import INTERRUPTED
    from ragctx.cli.failures import complain

    def told(event: object) -> None:
        if isinstance(event, Tick) and event.pending == 0:
            typer.echo("a strategy is done", err=True)

    try:
        return job(told)
    except KeyboardInterrupt:
        complain("stopped: what was asked is kept; run the same command again and it goes on")
        raise typer.Exit(INTERRUPTED) from None
