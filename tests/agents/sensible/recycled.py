"""What a sensible model makes of a paragraph."""

from __future__ import annotations

import re

from ragctx.work import Generate


def pair(request: Generate) -> str:
    """A question about the first words that are a sentence."""
    text = request.messages[-1].content.split("\n", 1)[1]
    sentence = re.search(r"[^.\n]{8,}", text)
    return f"What is said first?\nAnswer: {sentence.group().strip()[:40] if sentence else text[:10]}"


REPLIES = {"recycle": pair}
