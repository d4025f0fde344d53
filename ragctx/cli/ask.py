"""`ragctx ask`: one question, answered with citations, cost and reason."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ragctx.cli.options import BudgetTokens, Config, Documents, Encoder, Json, Lambda, Reader, StrategyName


def ask(
    question: Annotated[str, typer.Argument(help="The question itself.")],
    documents: Documents = None,
    reader: Reader = None,
    encoder: Encoder = None,
    lam: Lambda = None,
    budget: BudgetTokens = None,
    strategy: StrategyName = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Answer one question; shows what the answer rests on, what it cost and why it was read that way."""
    from ragctx.cli.output import show
    from ragctx.cli.settings import settings
    from ragctx.types import Question
    from ragctx.views import progress, terminal

    asked = Question(question)
    wanted = settings(config, documents=documents, reader=reader, encoder=encoder, lam=lam, budget=budget)
    with wanted.pipeline() as pipeline:
        answer = progress.streamed(pipeline.stream(asked, budget=wanted.budget, strategy=strategy), quiet=as_json)
    show(answer, as_json=as_json, data=json.loads(answer.to_json()) if as_json else None, view=terminal.answer)
