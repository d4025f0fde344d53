"""`ragctx index`: read documents and build their indexes now, so that the first question need not wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ragctx.cli.options import Html, Json, settled

if TYPE_CHECKING:
    from ragctx.cli.settings import Settings


@settled("documents", "encoder", "encoder_option")
def index(wanted: Settings, html: Html = None, as_json: Json = False) -> None:
    """Read documents and build their indexes; only what changed is read again."""
    from ragctx.assembly import AUTO, open_reader
    from ragctx.cli.failures import remark
    from ragctx.cli.output import save_page, show
    from ragctx.views import html as pages
    from ragctx.views import progress, terminal

    # Whatever reads later, an index needs no model but the encoder.
    readerless = wanted.model_copy(update={"reader": "scripted:echo", "options": {}, "roles": {}})
    with readerless.pipeline() as pipeline:
        with progress.embedding(len(pipeline.corpus.chunks)) as on_event:
            waiting = pipeline.prepare(on_event, writing=False)
        for name in waiting:
            remark(f"note: {name} asks the reader for more than an index: its first question pays for that, once")
        corpus = pipeline.corpus
        if wanted.reader == AUTO:
            open_reader(AUTO)  # unpacks the offline default's weights, once: the first question should not wait for it
        show(corpus, as_json=as_json, data=terminal.corpus_facts(corpus), view=terminal.corpus)
        save_page(html, "Index", corpus, pages.corpus)
