"""`ragctx strategies`: which ways of reading there are, what each is for, and its options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragctx.cli.options import Json

if TYPE_CHECKING:
    from rich.console import RenderableType

CONSIDERED, NAMED = "router", "by name"


def strategies(
    name: Annotated[str | None, typer.Argument(help="Tell this one's options.", show_default=False)] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a table in Markdown.")] = False,
    as_json: Json = False,
) -> None:
    """List the ways of reading: what each does, and whether the router considers it or it has to be named."""
    from ragctx.cli.output import show

    if name is not None:
        facts = options_of(name)
        show(facts, as_json=as_json, data=facts, view=lambda told: _rows(told, "option", "default"))
        return
    every = listed()
    if markdown:
        typer.echo("\n".join(in_markdown(every)))
        return
    show(every, as_json=as_json, data=every, view=lambda told: _rows(told, "strategy", "used", "what it does"))


def listed() -> list[dict[str, str]]:
    """Every installed strategy, one line each, from its docstring."""
    from ragctx import registry
    from ragctx.assembly import considered
    from ragctx.routing import Policy

    names = registry.names("strategies")
    router = considered(names, Policy.load())
    return [
        {"strategy": name, "used": CONSIDERED if name in router else NAMED, "what it does": _first_line(name)}
        for name in sorted(names, key=lambda name: (name not in router, name))
    ]


def options_of(name: str) -> list[dict[str, str]]:
    """The options of a strategy that can be given as text, with their defaults.

    Raises:
        UnknownName: no such strategy.
    """
    import dataclasses

    from ragctx import registry

    made: Any = registry.make("strategies", name)
    plain = (bool, int, float, str, tuple, type(None))
    told = [(field.name, getattr(made, field.name)) for field in dataclasses.fields(made)]
    return [{"option": option, "default": _shown(value)} for option, value in told if isinstance(value, plain)]


def in_markdown(rows: list[dict[str, str]]) -> list[str]:
    """A table for a README."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return [
        "| " + " | ".join(f"`{c}`" if not i and n > 1 else c for i, c in enumerate(line)) + " |"
        for n, line in enumerate(lines)
    ]


def _first_line(name: str) -> str:
    """What the class says of itself in its first line; a strategy that cannot be imported says why."""
    from ragctx import registry
    from ragctx.errors import ConfigError

    try:
        found = registry.find("strategies", name)
    except ConfigError as error:
        return str(error)
    return (found.__doc__ or "").strip().partition("\n")[0].strip()


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return (
        {None: "decided while reading", True: "true", False: "false"}.get(value, str(value))
        if isinstance(value, bool | None)
        else str(value)
    )


def _rows(rows: list[dict[str, str]], *columns: str) -> RenderableType:
    from rich.text import Text

    from ragctx.views.text import table

    made = table(*columns)
    for row in rows:
        made.add_row(*(Text(row[column]) for column in columns))
    return made
