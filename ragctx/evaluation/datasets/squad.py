"""SQuAD's files (arXiv 1606.05250, 1806.03822), and the many sets that share their form."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ragctx.evaluation.datasets.example import Example
from ragctx.evaluation.datasets.rows import Row, whole
from ragctx.types import Document, Question, Span


def squad(path: Path) -> Iterator[Example]:
    """`data[].paragraphs[].qas[]`, version 1 or 2; each paragraph is a document, each article a group.

    Raises:
        InputError: a field cannot be used, or an answer does not stand where it says.
    """
    for number, article in enumerate(whole(path).rows("data")):
        title = article.text("title", default=f"article {number + 1}")
        for place, paragraph in enumerate(article.rows("paragraphs")):
            document = Document(f"{title}#{place}", paragraph.filled("context"), title=title)
            for row in paragraph.rows("qas"):
                yield _example(row, document, title)


def _example(row: Row, document: Document, title: str) -> Example:
    answerable = row.values.get("is_impossible") is not True
    answers = list(row.rows("answers")) if answerable else []
    texts = tuple(dict.fromkeys(answer.text("text") for answer in answers))
    if answerable and not texts:
        row.wrong("answers", "is empty, and is_impossible is not true")
    question = Question(row.filled("question"), id=row.filled("id"), answers=texts, kind="span", answerable=answerable)
    gold = dict.fromkeys(_span(answer, document) for answer in answers)
    return Example(question, (document,), tuple(gold), title, "squad-f1")


def _span(answer: Row, document: Document) -> Span:
    return answer.span(document, answer.whole("answer_start"), answer.text("text"), "answer_start")
