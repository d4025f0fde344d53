"""`ragctx cache`: what is kept on disk, and how to be rid of it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from ragctx.cli import INTERRUPTED
from ragctx.cli.options import Json
from ragctx.errors import UnknownName

app = typer.Typer(help="What is kept on disk: indexes, replies, converted weights.", no_args_is_help=True)


def sizes() -> dict[str, dict[str, int]]:
    """Files and bytes below each folder of the cache."""
    from ragctx.folders import cache_folder

    return {part.name: _size(part) for part in sorted(cache_folder().iterdir()) if part.is_dir()}


def _size(folder: Path) -> dict[str, int]:
    files = [path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {"files": len(files), "bytes": sum(files)}


@app.command("info")
def info(as_json: Json = False) -> None:
    """Show the cache folder and the size of each part."""
    from ragctx.cli.output import show
    from ragctx.folders import cache_folder
    from ragctx.views import terminal

    facts = {"folder": str(cache_folder()), "parts": sizes()}
    show(facts, as_json=as_json, data=facts, view=terminal.cache)


@app.command("clear")
def clear(
    part: Annotated[str | None, typer.Argument(help="One part (see `ragctx cache info`); all when not given.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete cached files; everything here can be built again."""
    from ragctx.folders import cache_folder
    from ragctx.views.numbers import size

    parts = sizes()
    if part is not None and part not in parts:
        raise UnknownName("cache part", part, parts)
    chosen = {part: parts[part]} if part else parts
    total = sum(found["bytes"] for found in chosen.values())
    if chosen and not yes and not _agreed(f"Delete {', '.join(chosen)} ({size(total)})?"):
        typer.echo("nothing was deleted; --yes deletes without asking", err=True)
        raise typer.Exit(INTERRUPTED)
    for name in chosen:
        shutil.rmtree(cache_folder() / name)
    typer.echo(json.dumps({"deleted": chosen}) if as_json else f"deleted {size(total)}")


def _agreed(question: str) -> bool:
    """Whether a person said yes; nobody there to be asked is a no."""
    if sys.stdin is None:  # closed, as some schedulers leave it
        return False
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        typer.echo(err=True)  # the question's line is still open
        return False
