"""This project's own rows: `Questions`' JSON lines, with the text to read inline where there is any."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ragctx.errors import BadQuestion
from ragctx.evaluation.datasets.example import Example
from ragctx.evaluation.datasets.rows import Row, lines
from ragctx.types import Document
from ragctx.types.rows import question_of

_BESIDE = frozenset({"contexts", "document", "group", "metric", "task"})


def own(path: Path) -> Iterator[Example]:
    """Rows with `question`, `answers` and, where wanted, `contexts` ([{"title", "text"}]) or `document` (a text).

    `group` names the document or article a question is about, `metric` a measure; every other field is a question's.
    A row without text is asked over the documents that whoever runs the evaluation names.

    Raises:
        InputError: a row or a field cannot be used.
    """
    for row in lines(path):
        asked = {name: value for name, value in row.values.items() if name not in _BESIDE}
        asked.setdefault("kind", row.text("task", default=""))
        try:
            question = question_of(asked)
        except (ValueError, BadQuestion) as error:
            row.wrong("question", str(error))
        documents = tuple(_documents(row, question.id))
        group = row.text("group", default="") or (documents[0].id if documents else question.id)
        yield Example(question, documents, (), group, row.text("metric", default=""))


def _documents(row: Row, name: str) -> Iterator[Document]:
    if "document" in row.values:
        yield Document(name, row.filled("document"))
    elif "contexts" in row.values:
        for number, context in enumerate(row.rows("contexts")):
            yield Document(f"{name}#{number}", context.text("text"), title=context.text("title", default=""))
