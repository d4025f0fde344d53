"""One way out: JSON on standard output when asked for, otherwise a view for people."""

from __future__ import annotations

import json
from collections.abc import Callable
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
