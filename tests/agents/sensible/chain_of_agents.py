"""What sensible workers, judges and managers of Chain-of-Agents reply."""

from __future__ import annotations

import re

from ragctx.work import Generate


def notes(request: Generate) -> str:
    """The notes that were passed on, and where the notice period stands, if it does."""
    text = request.messages[-1].content
    texts, _, _ = text.rpartition("Question: ")
    documents, _, passed_on = texts.partition(" notes\n")
    before = [line for line in passed_on.splitlines() if line.startswith("- ")]
    mark = next(iter(re.findall(r"\[\d+\]", documents)), "")
    if not before:
        before = [
            f"- The lease says more of its clauses and of the copies the parties keep {mark}.",
            f"- It also names the years in which they were agreed, one after another {mark}.",
            f"- Each of them concerns a matter that has a number of its own {mark}.",
        ]
    if "three months" in documents:
        numbers = re.findall(r"\[(\d+)\]", documents[: documents.index("three months")])
        before.append(f"- The notice period is three months [{numbers[-1]}].")
    return "\n".join(before)


REPLIES = {"worker notes": notes, "best notes": lambda request: "1"}
