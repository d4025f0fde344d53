"""The command table, and how every error of the tree becomes one short message and an exit code."""

from __future__ import annotations

from collections.abc import Sequence

import click
import typer

from ragctx import __version__
from ragctx.cli import INTERRUPTED, ask, batch, cache, doctor, explain, index, plan
from ragctx.errors import RagctxError

app = typer.Typer(
    name="ragctx",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Answers questions over documents and decides, per question, how to read.",
    epilog="Settings come from flags, RAGCTX_ environment variables and ragctx.toml, in that order. Exit codes: "
    "0 done, 2 setting, 3 input, 4 limit, 5 model, 6 store, 7 failed rows, 130 interrupted.",
)
app.command("index")(index.index)
app.command("plan")(plan.plan)
app.command("ask")(ask.ask)
app.add_typer(batch.app, name="batch")
app.command("explain")(explain.explain)
app.add_typer(cache.app, name="cache")
app.command("doctor")(doctor.doctor)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ragctx {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Answers questions over documents and decides, per question, how to read."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code and never lets an expected error end in a traceback."""
    try:
        result = app(args=list(arguments), standalone_mode=False)
    except click.exceptions.Abort:
        typer.echo("interrupted", err=True)
        return INTERRUPTED
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except KeyboardInterrupt:
        typer.echo("interrupted: nothing finished is lost", err=True)
        return INTERRUPTED
    except RagctxError as error:
        typer.echo(f"error: {error}", err=True)
        return error.exit_code
    except BrokenPipeError:
        return 0
    return result if isinstance(result, int) else 0
