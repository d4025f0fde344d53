"""Runs a batch job for a person: agrees on money first, draws the bar, says how to go on when it is stopped."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ragctx.cli import INTERRUPTED
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    from ragctx.batch import Status
    from ragctx.cli.settings import Settings
    from ragctx.pipeline import Pipeline
    from ragctx.questions import Questions
    from ragctx.routing import Plan


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a job.

    Attributes:
        strategy: named for all questions, or None. max_cost: ceiling in money for the whole job.
        yes: whatever it costs was agreed to.
    """

    settings: Settings
    questions: Questions
    job: Path
    strategy: str | None
    max_cost: float | None
    yes: bool

    def until_done(self) -> Status:
        """Run the job to its end, its ceiling or Ctrl-C; where it stands then.

        Raises:
            typer.Exit: 130, it was interrupted; what to do next was said.
        """
        from ragctx.cli.preparing import tell_of_unread

        try:
            with self.settings.pipeline(self.strategy) as pipeline:
                self._agree_on_money(pipeline)
                tell_of_unread(pipeline)
                self._drain(pipeline)
        except KeyboardInterrupt:
            self._stopped()
        return self._status()

    def _drain(self, pipeline: Pipeline) -> None:
        from ragctx.views.progress import batch

        with batch(len(self.questions), len(pipeline.corpus.chunks)) as on_event:
            rows = pipeline.batch(
                self.questions,
                job=self.job,
                budget=self.settings.budget,
                strategy=self.strategy,
                max_cost=self.max_cost,
                on_event=on_event,
            )
            for _ in rows:
                pass  # every row is in the file; the bar shows them

    def _status(self) -> Status:
        from ragctx.batch import JobStore, status

        with JobStore.open(self.job) as store:
            return status(store)

    def _stopped(self) -> None:
        from ragctx.cli.failures import complain

        if not self.job.exists():
            complain("stopped before the job began: nothing was spent")
            raise typer.Exit(INTERRUPTED)
        now = self._status()
        again = shlex.join(["ragctx", "batch", "resume", str(self.job)])
        complain(f"stopped with {now.done + now.failed} of {now.total} rows finished and kept; go on with:\n  {again}")
        raise typer.Exit(INTERRUPTED)

    def _agree_on_money(self, pipeline: Pipeline) -> None:
        """A priced reader needs a ceiling or a yes before the first call.

        Raises:
            ConfigError: nobody is there to be asked. typer.Exit: the person said no.
        """
        from ragctx.views.numbers import money

        prices = pipeline.models.reader.prices
        if prices is None or self.max_cost is not None or self.yes or self._nothing_left():
            return
        total = self._planned(pipeline).totals.money
        bill = f"{money(total.expected)} to {money(total.high, prices.currency)}" if total else "an unknown amount"
        if sys.stdin is None or not sys.stdin.isatty():
            raise ConfigError(f"this job may cost {bill}: set a ceiling with --max-cost, or agree with --yes")
        if not typer.confirm(f"This job may cost {bill}. Go on?", err=True):
            typer.echo("nothing was spent", err=True)
            raise typer.Exit(INTERRUPTED)

    def _planned(self, pipeline: Pipeline) -> Plan:
        """What is still to be asked: the rows that a job has left as they were planned, or a plan of all of them."""
        from ragctx.batch import JobStore
        from ragctx.routing import Plan, PlanRow

        if not self.job.exists():
            return pipeline.plan(self.questions, budget=self.settings.budget, strategy=self.strategy)
        with JobStore.open(self.job) as store:
            left = [PlanRow(row.question, row.decision) for row in store.every_pending()]
        return Plan(tuple(left))

    def _nothing_left(self) -> bool:
        return self.job.exists() and not self._status().pending


def resumed(
    job: Path, option: list[str], attempts: int | None, max_cost: float | None, *, yes: bool, retry_failed: bool
) -> Run:
    """The run that goes on with a job from its file alone.

    Raises:
        ConfigError: the job was not made by the command line, or an option would change what was frozen.
    """
    from ragctx.batch import JobStore
    from ragctx.cli.settings import Settings

    with JobStore.open(job) as store:
        frozen = store.configuration
        if not frozen.get("settings"):
            raise ConfigError(f"{job} was made from Python: go on with the program that made it")
        asked = store.questions()
        if retry_failed:
            typer.echo(f"failed rows that are asked again: {store.retry_failed()}", err=True)
    wanted = Settings.model_validate({**frozen["settings"], **_passing(frozen["settings"], option, attempts)})
    return Run(wanted, asked, job, frozen["strategy"], max_cost, yes)


def _passing(frozen: dict[str, Any], option: list[str], attempts: int | None) -> dict[str, object]:
    """What a resumed job may be told anew: how calls are made, never what they say."""
    from ragctx.cli.merging import named_values
    from ragctx.cli.settings import PASSING

    given = named_values(option)
    fixed = sorted(set(given) - PASSING)
    if fixed:
        raise ConfigError(
            f"{', '.join(fixed)} was frozen with the job: leave it out, or start a new job "
            f"(a job may go on with another {', '.join(sorted(PASSING - {'api_key'}))})"
        )
    options = {**frozen.get("options", {}), **given}
    return {"options": options} | ({"attempts": attempts} if attempts else {})
