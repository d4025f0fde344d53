"""`ragctx probe`: how far a reader really reads, measured once and kept for the router."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ragctx.cli import INTERRUPTED
from ragctx.cli.batch import Yes
from ragctx.cli.options import Json, settled

if TYPE_CHECKING:
    from ragctx.cli.settings import Settings
    from ragctx.contracts import Backend
    from ragctx.evaluation.battery import Battery
    from ragctx.evaluation.probing import Probed, Step
    from ragctx.models import ModelFacts


@settled("option", "attempts")
def probe(
    wanted: Settings,
    reader: Annotated[str | None, typer.Argument(help="local:NAME, openai:MODEL@BASE_URL, or scripted:FILE.")] = None,
    most: Annotated[
        int | None, typer.Option("--most", help="Longest prompts, in tokens; by default the declared window.", min=1)
    ] = None,
    shortest: Annotated[
        int, typer.Option("--shortest", help="Tokens of the shortest prompts; lengths double from here.", min=1)
    ] = 1_000,
    prompts: Annotated[int, typer.Option("--prompts", help="Prompts of each length.", min=2)] = 10,
    seed: Annotated[int, typer.Option("--seed", help="Of the texts.", min=0)] = 0,
    max_cost: Annotated[
        float | None, typer.Option("--max-cost", help="Do not begin if it may cost more money than this.", min=0)
    ] = None,
    yes: Yes = False,
    plan: Annotated[bool, typer.Option("--plan", help="Say what it may cost, and ask nothing.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Delete what was measured; ask nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Measure a reader's effective window: needles in longer and longer texts, until it finds clearly fewer.

    The figure is kept for the router (signals effective_window and effective_ratio); `ragctx doctor` shows it.
    """
    from ragctx.evaluation.battery import Battery

    named = wanted.model_copy(update={"reader": reader}) if reader else wanted
    backend, lacking = named.open_reader()
    for note in lacking:
        typer.echo(note, err=True)
    if forget:
        _forget(backend.facts, as_json=as_json)
        return
    battery = Battery.of(backend.facts, most, shortest, prompts, seed)
    if plan:
        _show_plan(battery, backend.facts, as_json=as_json)
        return
    typer.echo(_planned(battery, backend.facts), err=True)
    _agree_on_money(battery, backend.facts, max_cost, yes=yes)
    found = _run(backend, battery, wanted.attempts)
    _show(found, as_json=as_json)


def _run(backend: Backend, battery: Battery, attempts: int) -> Probed:
    """The whole battery; stopped by hand, it says how to go on."""
    from datetime import UTC, datetime

    from ragctx import windows
    from ragctx.cli.failures import complain
    from ragctx.engine import SqliteStore
    from ragctx.evaluation import probing

    store = SqliteStore(windows.replies(probing.identity(backend.facts)))
    today = datetime.now(UTC).date().isoformat()
    try:
        found = probing.probe(backend, battery, store=store, attempts=attempts, on_step=_told, date=today)
    except KeyboardInterrupt:
        complain("stopped: replies so far are kept; run the same command again and it goes on")
        raise typer.Exit(INTERRUPTED) from None
    store.close()
    return found


def _told(step: Step) -> None:
    failed = f" ({step.failed} without a reply of use)" if step.failed else ""
    typer.echo(f"{step.length:,} tokens: {step.right} of {step.prompts} right{failed}", err=True)


def _planned(battery: Battery, facts: ModelFacts) -> str:
    """What may be spent, in one line."""
    from ragctx.views.numbers import money, seconds, whole

    bill = battery.estimate(facts)
    parts = [f"{whole(bill.calls.high)} calls, {whole(bill.tokens.high)} tokens"]
    if bill.money is not None and facts.prices is not None:
        parts.append(money(bill.money.high, facts.prices.currency))
    if bill.seconds is not None:
        parts.append(seconds(bill.seconds.expected))
    told = f"{facts.name}: {battery.prompts} prompts at each of {_listed(battery.lengths)} tokens"
    return f"{told}; at most {', '.join(parts)}{'' if facts.counter.exact else '; tokens are estimated'}"


def _listed(lengths: tuple[int, ...]) -> str:
    return ", ".join(f"{length:,}" for length in lengths)


def _show_plan(battery: Battery, facts: ModelFacts, *, as_json: bool) -> None:
    import json

    from ragctx.types.serial import plain

    bill = plain(battery.estimate(facts))
    facts_of_plan = {"reader": facts.name, "lengths": battery.lengths, "prompts": battery.prompts, "estimate": bill}
    typer.echo(json.dumps(facts_of_plan) if as_json else _planned(battery, facts))


def _agree_on_money(battery: Battery, facts: ModelFacts, max_cost: float | None, *, yes: bool) -> None:
    """A priced reader needs a ceiling or a yes before the first call.

    Raises:
        ConfigError: nobody is there to be asked, or a ceiling and no price. LimitError: it may cost more than the
            ceiling. typer.Exit: the person said no.
    """
    from ragctx.errors import ConfigError, LimitError
    from ragctx.views.numbers import money

    bill = battery.estimate(facts).money
    if facts.prices is None or bill is None:
        if max_cost is not None:
            raise ConfigError(f"{facts.name} has no known price to hold --max-cost against: add prices to ragctx.toml")
        return
    told = money(bill.high, facts.prices.currency)
    if max_cost is not None and bill.high > max_cost:
        raise LimitError(f"this may cost {told}, the ceiling is {max_cost:g}: lower --most or --prompts")
    if yes or max_cost is not None:
        return
    if sys.stdin is None or not sys.stdin.isatty():
        raise ConfigError(f"this may cost {told}: set a ceiling with --max-cost, or agree with --yes")
    if not typer.confirm(f"This may cost {told}. Go on?", err=True):
        typer.echo("nothing was spent", err=True)
        raise typer.Exit(INTERRUPTED)


def _forget(facts: ModelFacts, *, as_json: bool) -> None:
    import json

    from ragctx import windows
    from ragctx.evaluation.probing import identity

    gone = windows.forget(identity(facts))
    line = f"{facts.name}: {'forgotten' if gone else 'nothing was measured'}"
    typer.echo(json.dumps({"reader": facts.name, "forgotten": gone}) if as_json else line)


def _show(found: Probed, *, as_json: bool) -> None:
    from ragctx.cli.output import show
    from ragctx.types.serial import plain
    from ragctx.views import probes

    data = {
        **plain(found.measured),
        "at_least": found.measured.at_least,
        "steps": [plain(step) for step in found.steps],
        "verdict": found.verdict,
        "usage": {
            "tokens": found.usage.tokens,
            "calls": found.usage.calls,
            "replayed": found.usage.replayed,
            "seconds": found.usage.seconds,
            "money": found.usage.money,
        },
    }
    show(found, as_json=as_json, data=data, view=probes.summary)
