"""`ragctx index`: read documents and build their indexes now, so that the first question need not wait."""

from __future__ import annotations

from ragctx.cli.options import Config, Documents, Encoder, Json


def index(documents: Documents = None, encoder: Encoder = None, config: Config = None, as_json: Json = False) -> None:
    """Read documents and build their indexes; only what changed is read again."""
    from ragctx.cli.output import show
    from ragctx.cli.settings import settings
    from ragctx.views import terminal

    wanted = settings(config, documents=documents, encoder=encoder)
    with wanted.pipeline() as pipeline:
        pipeline.prepare()
        show(pipeline.corpus, as_json=as_json, data=terminal.corpus_facts(pipeline.corpus), view=terminal.corpus)
