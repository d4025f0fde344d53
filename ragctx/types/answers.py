"""Answers: text, what it rests on, what it cost, and why it was read that way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ragctx.types.costs import Estimate, Usage
from ragctx.types.documents import Dropped, Span


@dataclass(frozen=True, slots=True)
class Citation:
    """A sentence of a source that the answer rests on.

    Attributes:
        text: `document.text[span.start:span.end]`.
        support: share of the cited answer sentence's content words found in the source, 0 to 1.
    """

    span: Span
    text: str
    source: str
    page: int | None = None
    support: float = 1.0


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of one document the model saw, in characters."""

    document: str
    read: int
    length: int

    @property
    def share(self) -> float:
        """Characters read over all characters; an empty document counts as read."""
        return self.read / self.length if self.length else 1.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One strategy the router looked at.

    Attributes:
        quality: predicted share of correct answers, 0 to 1.
        cost: normalised cost, 1.0 = reading everything for this question.
        score: quality minus lambda times cost.
        rejected: why it was not taken; empty for the chosen one.
    """

    strategy: str
    estimate: Estimate
    quality: float
    cost: float
    score: float
    rejected: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Which strategy was taken for a question, and everything the choice was made from.

    Attributes:
        signals: named numbers the policy saw. policy: the policy file's name and content hash.
        lam: lambda, the weight of normalised cost against quality.
        candidates: every strategy looked at, the chosen one first.
    """

    strategy: str
    why: str
    signals: Mapping[str, float] = field(default_factory=dict)
    candidates: tuple[Candidate, ...] = ()
    policy: str = ""
    lam: float = 0.0

    @property
    def chosen(self) -> Candidate | None:
        """The candidate that was taken; None where the user named the strategy and nothing was compared."""
        return next((c for c in self.candidates if c.strategy == self.strategy), None)

    @property
    def rejected(self) -> tuple[Candidate, ...]:
        """The candidates that were not taken, each with its reason."""
        return tuple(c for c in self.candidates if c.strategy != self.strategy)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and the account of it.

    Attributes:
        text: what is shown. answerable: False when the documents do not say.
        citations: sentences that carry the answer, verified against its words.
        unverified: how many citations the model gave that no sentence of the cited passage carries; they are dropped.
        confidence: 0 to 1, None where the strategy has no measure of it.
        data: the parsed `answer_type` as plain JSON values, where one was asked for.
        coverage: for every document of the corpus the question could read.
        dropped: spans considered and left unread, with reasons.
        notes: fall-backs and warnings a person should know of.

    Example:
        >>> answer = Answer(text="Three months.", question="q-1", strategy="retrieve")
        >>> Answer.from_json(answer.to_json()) == answer
        True
    """

    text: str
    question: str = ""
    strategy: str = ""
    answerable: bool = True
    citations: tuple[Citation, ...] = ()
    unverified: int = 0
    confidence: float | None = None
    data: object = None
    usage: Usage = field(default_factory=Usage)
    decision: Decision | None = None
    coverage: tuple[Coverage, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """One line of JSON that `from_json` reads back to an equal answer."""
        from ragctx.types.serial import dump

        return dump(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> Answer:
        """The answer that `to_json` wrote."""
        from ragctx.types.serial import load

        return load(cls, text)

    def _repr_html_(self) -> str:
        from importlib import import_module

        # By name: the view stands on a higher floor, and only a notebook ever asks for it.
        html: str = import_module("ragctx.views.html").answer(self)
        return html
