"""`ragctx plan`: the bill before the spending."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ragctx.cli.options import Html, Json, QuestionFile, StrategyName, settled

if TYPE_CHECKING:
    from ragctx.cli.settings import Settings


@settled("documents", "reader", "option", "encoder", "encoder_option", "ranker", "scorer", "lam", "budget")
def plan(
    wanted: Settings,
    questions: QuestionFile,
    strategy: StrategyName = None,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Say for every question which strategy is taken, what it costs and why; no model is called."""
    from ragctx.cli.output import save_page, show
    from ragctx.cli.ways import chosen
    from ragctx.questions import Questions
    from ragctx.views import html as pages
    from ragctx.views import terminal

    asked = Questions.read(questions)
    wanted, strategy = chosen(wanted, strategy)
    with wanted.pipeline(strategy) as pipeline:
        planned = pipeline.plan(asked, budget=wanted.budget, strategy=strategy)
    show(planned, as_json=as_json, data=json.loads(planned.to_json()) if as_json else None, view=terminal.plan)
    save_page(html, f"Plan for {questions.name}", planned, pages.plan)
