"""What a sensible judge replies: the first answer that knows the notice period."""

from __future__ import annotations

import re

from ragctx.work import Generate


def choose(request: Generate) -> str:
    """The number of the first answer that says three months."""
    found = re.search(r"^(\d+)\. .*three months", request.messages[-1].content, re.M)
    return found[1] if found else "1"


REPLIES = {"choose best": choose}
