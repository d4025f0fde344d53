"""`ragctx compressors`: what each installed compressor is for, and what it asks of models."""

from __future__ import annotations

from typing import Annotated

import typer

from ragctx.cli.options import Json


def compressors(
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    as_json: Json = False,
) -> None:
    """Print what each installed compressor does, and how much it has models read; none is asked."""
    from dataclasses import asdict

    from ragctx.cli.output import show
    from ragctx.views import listing

    found = listing.compressors()
    if markdown and not as_json:
        typer.echo(listing.markdown(found))
    else:
        show(found, as_json=as_json, data=[asdict(one) for one in found], view=listing.table)
