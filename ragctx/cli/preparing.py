"""Builds the indexes before the first question, with a bar: embedding a large corpus takes minutes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ragctx.pipeline import Pipeline

TOLD = 3


def prepared(pipeline: Pipeline, only: Iterable[str] | None = None, *, writing: bool = True) -> Pipeline:
    """The same pipeline, its indexes current; files that could not be read are told of.

    Args:
        pipeline: whose indexes are built.
        only: the strategies that will read; all when None.
        writing: whether the whole corpus may be summed up for them: a question on a part of it needs no more than that.
    """
    from ragctx.views.progress import embedding

    tell_of_unread(pipeline)
    with embedding(len(pipeline.corpus.chunks)) as on_event:
        pipeline.prepare(on_event, only=only, writing=writing)
    return pipeline


def tell_of_unread(pipeline: Pipeline) -> None:
    """Names the files that could not be read, some of them, on standard error."""
    from ragctx.cli.failures import remark

    problems = [str(problem) for problem in pipeline.corpus.problems]
    for problem in problems[:TOLD]:
        remark(f"note: {problem}")
    if len(problems) > TOLD:
        remark(f"note: {len(problems) - TOLD} more files could not be read; ragctx index names them")
