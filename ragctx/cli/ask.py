"""`ragctx ask`: one question, answered with citations, cost and reason."""

from __future__ import annotations

import json
from itertools import chain
from typing import TYPE_CHECKING, Annotated

import typer

from ragctx.cli.options import Html, Json, Only, StrategyName, settled

if TYPE_CHECKING:
    from ragctx.cli.settings import Settings


@settled("documents", "reader", "option", "attempts", "encoder", "encoder_option", "ranker", "scorer", "lam", "budget")
def ask(
    wanted: Settings,
    question: Annotated[str, typer.Argument(help="The question itself.")],
    where: Only = None,
    strategy: StrategyName = None,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Answer one question; shows what the answer rests on, what it cost and why it was read that way."""
    from ragctx.cli.asked import one
    from ragctx.cli.output import save_page, show
    from ragctx.cli.preparing import prepared
    from ragctx.cli.ways import chosen
    from ragctx.pipeline import Planned
    from ragctx.views import html as pages
    from ragctx.views import progress, terminal

    asked = one(question, where)
    wanted, strategy = chosen(wanted, strategy)
    with wanted.pipeline(strategy) as pipeline:
        events = pipeline.stream(asked, budget=wanted.budget, strategy=strategy)
        planned = next(events)
        # Only what will read: an answer that needs no encoder does not wait for one.
        reading = [planned.decision.strategy] if isinstance(planned, Planned) else None
        prepared(pipeline, reading, writing=asked.where is None)
        answer = progress.streamed(chain([planned], events), quiet=as_json)
    show(answer, as_json=as_json, data=json.loads(answer.to_json()) if as_json else None, view=terminal.answer)
    save_page(html, question, answer, pages.answer)
