"""What every strategy may ask: the question made standalone, the answer, the repair of data.

In the tests' corpus the notice period is three months, which one passage says.
"""

from __future__ import annotations

import re

from ragctx.work import Generate


def cited(text: str) -> str:
    """What the reader knows of the notice period, with the number of the passage that says so where there is one."""
    if "three months" not in text:
        return "Not in the documents."
    before = text[: text.index("three months")]
    numbers = re.findall(r"\[(\d+)\]", before) or re.findall(r"\[(\d+)\]", text)
    return f"The notice period is three months{f' [{numbers[-1]}]' if numbers else ''}."


def answer(request: Generate) -> str:
    """The answer from what the prompt shows."""
    return '{"months": 3}' if request.schema else cited(request.messages[-1].content)


REPLIES = {
    "standalone question": lambda request: "What is the notice period of the lease?",
    "answer": answer,
    "repair": answer,
}
