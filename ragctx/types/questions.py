"""Questions, and what may come with them: earlier turns, filters, a schema, a budget, gold answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ragctx.errors import BadQuestion
from ragctx.types.costs import Budget
from ragctx.types.documents import Document, Scalar

if TYPE_CHECKING:
    from pydantic import BaseModel
else:
    BaseModel = object  # importing pydantic takes a while, and whoever looks at the annotations needs some class


@dataclass(frozen=True, slots=True)
class Turn:
    """One earlier turn of a conversation."""

    speaker: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Where:
    """Which documents a question is about; every condition given must hold.

    Attributes:
        documents: shell-style patterns over document ids and sources (`"contracts/*.pdf"`); empty means all.
        metadata: exact values.
        pages: first and last page, both included, counted from 1; documents without pages never match.

    Raises:
        BadQuestion: the pages are none, or the wrong way round.

    Example:
        >>> Where(documents=("*.pdf",)).admits(Document("lease.pdf", "..."))
        True
    """

    documents: tuple[str, ...] = ()
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    pages: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.pages is None:
            return
        numbers = isinstance(self.pages, tuple | list) and [type(page) for page in self.pages] == [int, int]
        if not numbers or not 1 <= self.pages[0] <= self.pages[1]:
            raise BadQuestion(f"pages={self.pages!r} are none: give the first and the last, from 1, e.g. (2, 5)")

    def admits(self, document: Document) -> bool:
        """Whether the document as a whole may be read (pages are filtered span by span)."""
        from fnmatch import fnmatchcase

        named = not self.documents or any(
            fnmatchcase(name, pattern) for pattern in self.documents for name in (document.id, document.source)
        )
        stated = all(document.metadata.get(key) == value for key, value in self.metadata.items())
        return named and stated and (self.pages is None or bool(document.pages))

    def admits_page(self, page: int | None) -> bool:
        """Whether text that begins on `page` may be read."""
        return self.pages is None or (page is not None and self.pages[0] <= page <= self.pages[1])


@dataclass(frozen=True, slots=True)
class Question:
    """One question. A `str` given to the API is always the text of one.

    Attributes:
        text: what is asked; blank text is refused at once.
        id: unique within a job; made from the text when not given.
        history: earlier turns; a follow-up is rewritten to a standalone question first, which is billed.
        where: which documents and pages may be read.
        answer_type: a pydantic model the answer must validate against.
        instructions: added to the reader's instructions for this question alone.
        budget: what the question may spend over all its calls.
        answers: gold answers, used by evaluation only and never shown to a model.
        kind: a label for reports, e.g. "comparison"; the router never reads it.
        answerable: gold label, evaluation only.

    Raises:
        BadQuestion: the text is blank, or the answer type is no pydantic model.

    Example:
        >>> Question("What is the notice period?").id
        'q-6e6acaa5d94c'
    """

    text: str
    id: str = ""
    history: tuple[Turn, ...] = ()
    where: Where | None = None
    answer_type: type[BaseModel] | None = field(default=None, metadata={"exclude": True})  # a class: no JSON holds it
    instructions: str = ""
    budget: Budget | None = None
    answers: tuple[str, ...] = ()
    kind: str = ""
    answerable: bool | None = None
    metadata: Mapping[str, Scalar] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise BadQuestion("the question is empty: give it some text")
        if self.answer_type is not None and not _is_model(self.answer_type):
            raise BadQuestion(f"answer_type={self.answer_type!r} is no pydantic model: give a subclass of BaseModel")
        if not self.id:
            digest = hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()
            object.__setattr__(self, "id", f"q-{digest[:12]}")


def _is_model(kind: object) -> bool:
    """Whether it is a pydantic model's class; told by what it can do, since importing pydantic takes a while."""
    return isinstance(kind, type) and all(hasattr(kind, name) for name in ("model_validate", "model_json_schema"))
