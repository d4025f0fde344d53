"""`ragctx explain`: why an answer was read the way it was, from a job file or a saved answer."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ragctx.cli.options import Html, Json


def explain(
    saved: Annotated[Path, typer.Argument(help="A job file, or answers saved as JSON lines.")],
    question: Annotated[str | None, typer.Option("--id", help="Which question; needed when there are several.")] = None,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Show an answer's signals, the strategies rejected and why, coverage, what was left unread, and the bill."""
    from ragctx.cli.output import save_page, show
    from ragctx.cli.saved import find_answer
    from ragctx.views import html as pages
    from ragctx.views import terminal

    answer, asked = find_answer(saved.expanduser(), question)
    data = json.loads(answer.to_json()) if as_json else None
    show(answer, as_json=as_json, data=data, view=partial(terminal.explanation, question=asked))
    save_page(html, asked or f"Answer to {answer.question}", answer, pages.answer)
