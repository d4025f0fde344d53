"""One way out: JSON on standard output when asked for, otherwise a view for people, and a page where one is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

T = TypeVar("T")


def show(value: T, *, as_json: bool, data: object, view: Callable[[T], RenderableType]) -> None:
    """Print `data` as JSON, or the view of `value`."""
    if as_json:
        typer.echo(json.dumps(data, ensure_ascii=False))
        return
    from ragctx.views.terminal import console

    console().print(view(value))


def save_page(path: Path | None, title: str, value: T, view: Callable[[T], str]) -> None:
    """Write the HTML view to a file, if one was named."""
    if path is None:
        return
    from ragctx.views.html import page

    path.expanduser().write_text(page(title, view(value)), encoding="utf-8")
