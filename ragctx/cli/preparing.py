"""Builds the indexes before the first question, with a bar: embedding a large corpus takes minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ragctx.pipeline import Pipeline


def prepared(pipeline: Pipeline) -> Pipeline:
    """The same pipeline, its indexes current."""
    from ragctx.views.progress import embedding

    with embedding(len(pipeline.corpus.chunks)) as on_event:
        pipeline.prepare(on_event)
    return pipeline
