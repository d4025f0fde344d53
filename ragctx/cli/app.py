"""The command table, and the one place where a command line ends: with an exit code, never with a traceback."""

from __future__ import annotations

import os
from collections.abc import Sequence

import typer

from ragctx import __version__
from ragctx.cli import (
    INTERRUPTED,
    UNEXPECTED,
    ask,
    batch,
    cache,
    calibrate,
    compress,
    compressors,
    doctor,
    evaluate,
    explain,
    index,
    plan,
    probe,
    strategies,
)

app = typer.Typer(
    name="ragctx",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Answers questions over documents and decides, per question, how to read.",
    epilog="Settings come from flags, RAGCTX_ environment variables and ragctx.toml, in that order. Exit codes: "
    "0 done, 1 unexpected, 2 setting, 3 input, 4 limit, 5 model, 6 store, 7 failed rows, 130 interrupted.",
)
app.command("index")(index.index)
app.command("plan")(plan.plan)
app.command("ask")(ask.ask)
app.command("compress")(compress.compress)
app.command("strategies")(strategies.strategies)
app.command("compressors")(compressors.compressors)
app.add_typer(batch.app, name="batch")
app.command("evaluate")(evaluate.evaluate)
app.command("calibrate")(calibrate.calibrate)
app.command("probe")(probe.probe)
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
    """Run one command line and return its exit code.

    An error that the user can do something about is one message; anything else is a fault of ragctx and says so, with
    the traceback when RAGCTX_TRACEBACK is set.
    """
    try:
        result = app(args=list(arguments), standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        return _complain("stopped: everything that was finished is kept", INTERRUPTED)
    except BrokenPipeError:
        return 0
    except Exception as error:  # noqa: BLE001 - told apart below, and raised again on request
        return _failed(error)
    return result if isinstance(result, int) else 0


def _failed(error: Exception) -> int:
    from ragctx.cli.failures import told

    # Usage errors of the command line's library, which has its classes in one place or another by version.
    if callable(shown := getattr(error, "show", None)):
        shown()
        return int(getattr(error, "exit_code", 2))
    known = told(error)
    if known is not None:
        return _complain(f"error: {known[0]}", known[1])
    if os.environ.get("RAGCTX_TRACEBACK"):
        raise error
    return _complain(
        f"unexpected {type(error).__name__}: {error}\nThis is a fault of ragctx: set RAGCTX_TRACEBACK=1, run the same "
        "command again and report what it prints",
        UNEXPECTED,
    )


def _complain(message: str, code: int) -> int:
    from ragctx.cli.failures import complain

    complain(message)
    return code
