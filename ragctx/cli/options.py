"""The options that several commands share, declared once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, get_type_hints

import typer

QuestionFile = Annotated[Path, typer.Argument(help="Questions: .jsonl, .json, .csv, .tsv, or .txt with one a line.")]
Only = Annotated[
    list[str] | None,
    typer.Option("--where", help="Only documents that match, e.g. '*.pdf'; may be given several times."),
]
Documents = Annotated[
    list[str] | None,
    typer.Option("--documents", "-d", help="File or folder to read; may be given several times.", show_default=False),
]
Reader = Annotated[
    str | None,
    typer.Option(
        "--reader", "-r", help="local:NAME, openai:MODEL@BASE_URL, scripted:FILE, or extractive.", show_default=False
    ),
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
EncoderOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--encoder-option",
        help="Option of the encoder: length=1024 reads longer texts, temperature=0.9 sharpens attention, threads=2.",
        show_default=False,
    ),
]
Ranker = Annotated[
    str | None,
    typer.Option(
        "--ranker", help="Model that sorts, prunes and points out answers; 'none' for none.", show_default=False
    ),
]
Scorer = Annotated[
    str | None,
    typer.Option(
        "--scorer", help="Model by which compressors weigh words, local:NAME; 'none' for none.", show_default=False
    ),
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
    typer.Option(
        "--strategy",
        help="Use this one instead of letting the router choose; with options: retrieve:tokens=800,order=score.",
        show_default=False,
    ),
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

NONE = "none"  # where a model is named: do without
_NAMED = inspect.Parameter.KEYWORD_ONLY
# Flags that are settings, by the setting's name.
SETTINGS: Final[Mapping[str, Any]] = {
    "documents": Documents,
    "reader": Reader,
    "option": ReaderOptions,
    "attempts": Attempts,
    "encoder": Encoder,
    "encoder_option": EncoderOptions,
    "ranker": Ranker,
    "scorer": Scorer,
    "lam": Lambda,
    "budget": BudgetTokens,
    "config": Config,
}


def settled(*flags: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command these flags and `--config`; its first parameter takes the settings in force.

    The command line's library reads the flags off the signature; those of the command's own stand behind the shared.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def run(**given: Any) -> None:  # noqa: ANN401 - whatever the command's own parameters are
            from ragctx.cli.merging import settings

            wanted = settings(**{name: given.pop(name) for name in shared})
            command(wanted, **given)

        shared = {name: SETTINGS[name] for name in (*flags, "config")}
        # Importing the class takes a while, and no flag is of that type.
        hints = get_type_hints(command, localns={"Settings": object}, include_extras=True)
        own = list(inspect.signature(command).parameters.values())[1:]
        parameters = [inspect.Parameter(name, _NAMED, default=None, annotation=kind) for name, kind in shared.items()]
        parameters += [p.replace(kind=_NAMED, annotation=hints[p.name]) for p in own]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate
