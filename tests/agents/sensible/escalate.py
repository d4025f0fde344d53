"""What a sensible model replies to the later steps of `escalate` and `self-route`: the same as to a first one."""

from __future__ import annotations

import re

from ragctx.work import Generate


def answer(request: Generate) -> str:
    """The answer from what the prompt shows."""
    if request.schema:
        return '{"months": 3}'
    text = request.messages[-1].content
    if "three months" not in text:
        return "Not in the documents."
    numbers = re.findall(r"\[(\d+)\]", text[: text.index("three months")])
    return f"The notice period is three months [{numbers[-1] if numbers else 1}]."


REPLIES = {f"{purpose}, {step}": answer for purpose in ("answer", "repair") for step in ("wider", "full")}
