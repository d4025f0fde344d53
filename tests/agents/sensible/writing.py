"""What a sensible model plans and writes."""

from __future__ import annotations

import re

from ragctx.work import Generate


def plan(request: Generate) -> str:
    """As many lines as are asked for, as long as they are asked to be."""
    asked = "\n".join(message.content for message in request.messages)
    lines, each = re.search(r"Write (\d+) lines", asked), re.search(r"\| (\d+) words", asked)
    assert lines is not None
    assert each is not None
    return "\n".join(f"{n}. Matter number {n} | {each[1]} words" for n in range(1, int(lines[1]) + 1))


def part(request: Generate) -> str:
    """A sentence over and over, about as long as it is asked to be."""
    words = re.search(r"Write about (\d+) words", request.messages[-1].content)
    assert words is not None
    return " ".join(["The parties keep copies of it."] * (int(words[1]) // 6))


REPLIES = {"plan": plan, "plan again": plan, "part": part}
