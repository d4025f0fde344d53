"""`ragctx plan`: the bill before the spending."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from ragctx.cli.options import Html, Json, Only, StrategyName, settled

if TYPE_CHECKING:
    from ragctx.cli.settings import Settings


@settled("documents", "reader", "option", "encoder", "encoder_option", "ranker", "scorer", "lam", "budget")
def plan(
    wanted: Settings,
    questions: Annotated[
        str,
        typer.Argument(help="A question in quotes; or a file: .jsonl, .json, .csv, .tsv, or .txt with one a line."),
    ],
    where: Only = None,
    strategy: StrategyName = None,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Say for every question which strategy is taken, what it costs and why; no model is called."""
    from ragctx.cli import asked
    from ragctx.cli.output import save_page, show
    from ragctx.cli.ways import chosen
    from ragctx.views import html as pages
    from ragctx.views import terminal

    every, title = asked.questions(questions, where)
    wanted, strategy = chosen(wanted, strategy)
    with wanted.pipeline(strategy) as pipeline:
        planned = pipeline.plan(every, budget=wanted.budget, strategy=strategy)
    show(planned, as_json=as_json, data=json.loads(planned.to_json()) if as_json else None, view=terminal.plan)
    save_page(html, f"Plan for {title}", planned, pages.plan)
