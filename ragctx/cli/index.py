"""`ragctx index`: read documents and build their indexes now, so that the first question need not wait."""

from __future__ import annotations

from ragctx.cli.options import Config, Documents, Encoder, Html, Json


def index(
    documents: Documents = None,
    encoder: Encoder = None,
    config: Config = None,
    html: Html = None,
    as_json: Json = False,
) -> None:
    """Read documents and build their indexes; only what changed is read again."""
    from ragctx.cli.merging import settings
    from ragctx.cli.output import save_page, show
    from ragctx.views import html as pages
    from ragctx.views import progress, terminal

    wanted = settings(config, documents=documents, encoder=encoder, reader="scripted:echo", options={}, roles={})
    with wanted.pipeline() as pipeline:
        with progress.embedding(len(pipeline.corpus.chunks)) as on_event:
            pipeline.prepare(on_event)
        corpus = pipeline.corpus
        show(corpus, as_json=as_json, data=terminal.corpus_facts(corpus), view=terminal.corpus)
        save_page(html, "Index", corpus, pages.corpus)
