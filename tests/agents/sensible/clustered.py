"""Clustered RAG: what a sensible model makes of a group of like passages."""

from __future__ import annotations

from collections.abc import Callable

from ragctx.work import Generate

PERIOD = "The notice period of the lease is three months."


def summary(request: Generate) -> str:
    """The group in a sentence or two; the notice period where it is among them."""
    told = f"{PERIOD} " if "three months" in request.messages[-1].content else ""
    return f"{told}The parties agreed on several matters and keep copies."


REPLIES: dict[str, Callable[[Generate], str]] = {"cluster summary": summary}
