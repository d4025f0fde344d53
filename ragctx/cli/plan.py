"""`ragctx plan`: the bill before the spending."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ragctx.cli.options import BudgetTokens, Config, Documents, Encoder, Json, Lambda, Reader, StrategyName


def plan(
    questions: Annotated[Path, typer.Argument(help="Questions: .jsonl, .json, .csv, or .txt with one a line.")],
    documents: Documents = None,
    reader: Reader = None,
    encoder: Encoder = None,
    lam: Lambda = None,
    budget: BudgetTokens = None,
    strategy: StrategyName = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Say for every question which strategy is taken, what it costs and why; no model is called."""
    from ragctx.cli.output import show
    from ragctx.cli.settings import settings
    from ragctx.questions import Questions
    from ragctx.views import terminal

    asked = Questions.read(questions)
    wanted = settings(config, documents=documents, reader=reader, encoder=encoder, lam=lam, budget=budget)
    with wanted.pipeline() as pipeline:
        planned = pipeline.plan(asked, budget=wanted.budget, strategy=strategy)
    show(planned, as_json=as_json, data=json.loads(planned.to_json()) if as_json else None, view=terminal.plan)
