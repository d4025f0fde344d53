"""The options that several commands share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

QuestionFile = Annotated[Path, typer.Argument(help="Questions: .jsonl, .json, .csv, .tsv, or .txt with one a line.")]
Documents = Annotated[
    list[str] | None,
    typer.Option("--documents", "-d", help="File or folder to read; may be given several times.", show_default=False),
]
Reader = Annotated[
    str | None,
    typer.Option("--reader", "-r", help="local:NAME, openai:MODEL@BASE_URL or scripted:FILE.", show_default=False),
]
ReaderOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--option", "-o", help="Option of the reader: timeout=30, window=32768, dtype=bfloat16.", show_default=False
    ),
]
Attempts = Annotated[
    int | None,
    typer.Option("--attempts", help="Tries for a call that may succeed next time.", min=1, show_default=False),
]
Encoder = Annotated[
    str | None,
    typer.Option("--encoder", help="Model for dense retrieval; 'none' for BM25 alone.", show_default=False),
]
Lambda = Annotated[
    float | None,
    typer.Option("--lambda", help="Weight of cost against quality; 0 ignores cost.", min=0, show_default=False),
]
BudgetTokens = Annotated[
    int | None,
    typer.Option("--budget", help="Tokens one question may spend over all its calls.", min=1, show_default=False),
]
StrategyName = Annotated[
    str | None,
    typer.Option("--strategy", help="Use this one instead of letting the router choose.", show_default=False),
]
Config = Annotated[
    Path | None,
    typer.Option("--config", help="Settings file; ./ragctx.toml is read when it is there.", show_default=False),
]
Html = Annotated[
    Path | None,
    typer.Option("--html", help="Write the view to this file as well, as a page of its own.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
