"""`ragctx plan`: the bill before the spending."""

from __future__ import annotations

import json

from ragctx.cli.options import (
    BudgetTokens,
    Config,
    Documents,
    Encoder,
    Html,
    Json,
    Lambda,
    QuestionFile,
    Reader,
    ReaderOptions,
    StrategyName,
)


def plan(
    questions: QuestionFile,
    documents: Documents = None,
    reader: Reader = None,
    option: ReaderOptions = None,
    encoder: Encoder = None,
    lam: Lambda = None,
    budget: BudgetTokens = None,
    strategy: StrategyName = None,
    config: Config = None,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Say for every question which strategy is taken, what it costs and why; no model is called."""
    from ragctx.cli.merging import settings
    from ragctx.cli.output import save_page, show
    from ragctx.questions import Questions
    from ragctx.views import html as pages
    from ragctx.views import terminal

    asked = Questions.read(questions)
    given = {"documents": documents, "reader": reader, "encoder": encoder, "lambda": lam, "budget": budget}
    wanted = settings(config, option=option, **given)
    with wanted.pipeline(strategy) as pipeline:
        planned = pipeline.plan(asked, budget=wanted.budget, strategy=strategy)
    show(planned, as_json=as_json, data=json.loads(planned.to_json()) if as_json else None, view=terminal.plan)
    save_page(html, f"Plan for {questions.name}", planned, pages.plan)
