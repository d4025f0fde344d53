"""`ragctx compress`: a file cut down to what a question needs, within a token budget."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ragctx.cli.options import Html, Json, settled

if TYPE_CHECKING:
    from ragctx.cli.settings import Settings
    from ragctx.contracts import Compressor
    from ragctx.pipeline import Pipeline
    from ragctx.types import Context
    from ragctx.views.compressions import Compression


@settled("reader", "option", "attempts", "encoder", "encoder_option", "ranker", "scorer")
def compress(
    wanted: Settings,
    file: Annotated[list[str], typer.Argument(help="Files or folders to compress.")],
    question: Annotated[str, typer.Option("--question", "-q", help="What the text has to be kept for.")],
    budget: Annotated[int, typer.Option("--budget", help="Tokens that may be left, by the reader's counter.", min=0)],
    compressor: Annotated[
        str | None,
        typer.Option(
            "--compressor",
            "-c",
            help="Which compressor, with options: longllmlingua:numbers=true; the strategy's own when not given.",
        ),
    ] = None,
    unit: Annotated[str, typer.Option(help="What is one passage to the compressor: chunk or document.")] = "chunk",
    dropped: Annotated[bool, typer.Option("--dropped", help="Show what was dropped as well, struck through.")] = False,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Print what a compressor leaves of a text, and how much that is."""
    from ragctx import registry
    from ragctx.cli.output import save_page, show
    from ragctx.cli.ways import parsed
    from ragctx.strategies import Compress
    from ragctx.views import html as pages
    from ragctx.views import terminal

    name, given = parsed(compressor or str(Compress().compressor), "--compressor", "longllmlingua:numbers=true")
    Compress(unit=unit)  # type: ignore[arg-type]  # refuses what is no unit
    made = registry.make("compressors", name, **given)  # a wrong name is told at once, not after indexing
    with wanted.model_copy(update={"documents": tuple(file)}).pipeline() as pipeline:
        found = _compressed(pipeline, question, budget, name, made, unit)
    view = terminal.comparison if dropped else terminal.compression
    show(found, as_json=as_json, data=asdict(found) if as_json else None, view=view)
    save_page(html, question, found, pages.compression)


def _compressed(
    pipeline: Pipeline, question: str, budget: int, name: str, compressor: Compressor, unit: str
) -> Compression:
    from ragctx.questions import Questions
    from ragctx.strategies.gathering import Gathering, joined
    from ragctx.views.compressions import Compression, marked

    asked, models, counter = Questions.one(question), pipeline.models, pipeline.models.reader.counter
    source = Gathering(None, 0, unit).everything(pipeline.corpus)  # type: ignore[arg-type]  # checked by the caller
    outcome = pipeline.engine.run(compressor.compress(asked, source, budget, models))
    kept: Context = outcome.result()
    whole, left = (_text(context, pipeline) for context in (source, kept))
    if counter.count(left) > budget:  # joined pieces of a document took a token more than the pieces do
        left = "\n\n".join(passage.text for passage in kept.passages)
    return Compression(
        name,
        question,
        budget,
        counter.count(whole),
        counter.count(left),
        left,
        marked(source.with_passages(joined(source.passages, pipeline.corpus)), kept),
        tuple(passage.text for passage in kept.passages if passage.derived),
        (*pipeline.notes, *kept.notes),
        len(outcome.usage.charges),
        sum(charge.prompt for charge in outcome.usage.charges),
    )


def _text(context: Context, pipeline: Pipeline) -> str:
    from ragctx.strategies.gathering import joined

    return "\n\n".join(passage.text for passage in joined(context.passages, pipeline.corpus))
