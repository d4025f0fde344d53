"""The account that is put on an answer: what it cost, which plan it followed, and what is to be told beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ragctx.engine.job import Outcome
from ragctx.errors import RagctxError
from ragctx.types import Answer, Decision, Question


def accounted(outcome: Outcome[Answer], question: Question, decision: Decision, notes: Iterable[str] = ()) -> Answer:
    """The answer of an outcome with its usage, its decision and some notes before its own; an error is raised.

    Args:
        outcome: of the work of one question.
        question: the question.
        decision: how it was planned.
        notes: said of every answer; each once.

    Raises:
        RagctxError: the strategy gave something else than an answer. Whatever the work raised.
    """
    answer: object = outcome.result()
    if not isinstance(answer, Answer):
        name, given = decision.strategy, type(answer).__name__
        raise RagctxError(f"strategy {name!r} gave a {given}, not an Answer: report it to its makers")
    taken = answer.decision or decision  # one that was made again as the question was read
    return replace(
        answer,
        question=question.id,
        strategy=taken.strategy,
        decision=taken,
        usage=outcome.usage,
        notes=tuple(dict.fromkeys((*notes, *answer.notes))),
    )
