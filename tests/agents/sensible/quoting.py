"""What a sensible model quotes."""

from __future__ import annotations

import re

from ragctx.work import Generate


def quote(request: Generate) -> str:
    """The sentence about the notice period, where the prompt shows it."""
    sentence = re.search(r"[^.\n]*three months[^.\n]*\.", request.messages[-1].content)
    return sentence.group().strip() if sentence else "none"


REPLIES = {"quote": quote}
