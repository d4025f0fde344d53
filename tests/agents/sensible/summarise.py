"""What a sensible model makes of a part, of summaries, and of a summary that is too long."""

from __future__ import annotations

from ragctx.work import Generate

KNOWN = "The notice period is three months."


def part(request: Generate) -> str:
    """What the texts say of the notice period; nothing where they do not."""
    return KNOWN if "three months" in request.messages[-1].content else "Not in the documents."


def update(request: Generate) -> str:
    """What is known already counts too, as it stands in the prompt."""
    return KNOWN if "three months" in request.messages[-1].content else "Nothing new."


REPLIES = {
    "summary of a part": part,
    "summary of a part again": part,
    "merge": part,
    "merge again": part,
    "final summary": part,
    "final summary again": part,
    "first summary": part,
    "first summary again": part,
    "update": update,
    "update again": update,
    "shorten": update,
    "shorten again": update,
}
