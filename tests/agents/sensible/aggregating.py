"""What a sensible model says to map-extract."""

from __future__ import annotations

import json
import re

from ragctx.work import Generate


def found(request: Generate) -> str:
    """The sentence about the notice period, where the prompt shows it."""
    sentence = re.search(r"[^.\n]*three months[^.\n]*", request.messages[-1].content)
    return json.dumps({"name": "notice period", "quote": sentence.group().strip()}) if sentence else "none"


REPLIES = {
    "plan items": lambda request: "list\nItem: a notice period of the lease",
    "extract items": found,
    "repair items": found,
    "check item": lambda request: "Yes.",
}
