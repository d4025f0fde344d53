"""`ragctx plan`: the bill before the spending."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragctx.cli.options import Html, Json, Only, StrategyName, settled
from ragctx.errors import InputError

if TYPE_CHECKING:
    from ragctx.cli.settings import Settings
    from ragctx.questions import Questions

_FILES = (".csv", ".json", ".jsonl", ".ndjson", ".tsv", ".txt")
_ASKING = ("?", "\uff1f", "\u061f")


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
    from ragctx.cli.output import save_page, show
    from ragctx.cli.ways import chosen
    from ragctx.views import html as pages
    from ragctx.views import terminal

    asked = _asked(questions, where)
    wanted, strategy = chosen(wanted, strategy)
    with wanted.pipeline(strategy) as pipeline:
        planned = pipeline.plan(asked, budget=wanted.budget, strategy=strategy)
    show(planned, as_json=as_json, data=json.loads(planned.to_json()) if as_json else None, view=terminal.plan)
    save_page(html, f"Plan for {Path(questions).name if _is_file(questions) else questions}", planned, pages.plan)


def _asked(given: str, where: list[str] | None) -> Questions:
    """The questions of a file, or the one that was given.

    Raises:
        InputError: neither a file nor a question; or a file whose questions say for themselves what they may read.
    """
    from ragctx.questions import Questions

    if not _is_file(given):
        return Questions.of([Questions.one({"question": given, "where": {"documents": where} if where else None})])
    if not (given.lower().endswith(_FILES) or _there(given)):
        raise InputError(f"{given} is no question file ({', '.join(_FILES)}): a question of one word ends with '?'")
    if where:
        raise InputError(f"--where is for one question; those in {given} each have a field `where` of their own")
    return Questions.read(given)


def _is_file(given: str) -> bool:
    """Whether a file is meant: it is there or is named like one, or what was given is one word and asks nothing."""
    said = given.rstrip().lower()
    if said.endswith(_FILES) or _there(given):
        return True
    return len(said.split()) < 2 and not said.endswith(_ASKING)


def _there(given: str) -> bool:
    try:
        return Path(given).exists()
    except (OSError, ValueError):  # longer than a name may be
        return False
