"""What a sensible model replies to the rounds of iterative retrieval."""

from __future__ import annotations

import re

from ragctx.work import Generate


def sub_question(request: Generate) -> str:
    """One thing to look up, then nothing more."""
    prompt = request.messages[-1].content
    trace = prompt[prompt.rindex("Question:") :]
    return "DONE" if "Found:" in trace else "How many months of notice does the lease ask for?"


def intermediate(request: Generate) -> str:
    """The notice period where the passages say it."""
    text = request.messages[-1].content
    if "three months" not in text:
        return "Not in the documents."
    numbers = re.findall(r"\[(\d+)\]", text[: text.index("three months")])
    return f"Three months{f' [{numbers[-1]}]' if numbers else ''}."


REPLIES = {"sub-question": sub_question, "intermediate answer": intermediate}
