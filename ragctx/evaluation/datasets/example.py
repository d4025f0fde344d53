"""One row of a data set, whatever file it came from."""

from __future__ import annotations

from dataclasses import dataclass

from ragctx.types import Document, Question, Span


@dataclass(frozen=True, slots=True)
class Example:
    """One question with everything needed to judge an answer to it.

    Attributes:
        question: carries the gold answers; `kind` is the set's task.
        documents: the texts the question may be answered from.
        gold: spans of those documents that carry the answer; empty where the set has none.
        group: the document or article: split and resample by it, never by row.
        metric: the measure that the set is scored by, where it names one (`ragctx.evaluation.measures`).
    """

    question: Question
    documents: tuple[Document, ...]
    gold: tuple[Span, ...]
    group: str
    metric: str = ""
