"""Ranks sections by how likely they make the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ragctx.compressors.scorer import Ids, Scorer, logprobs, logprobs_before
from ragctx.compressors.sections import Section
from ragctx.work import Work

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What stands before a text and before a question, so that both begin a line in every request.
TEXT, QUESTION = "Text:\n", "\n\nQuestion: "


@dataclass(frozen=True, slots=True)
class Ranked:
    """A section, and what the question says of it.

    Attributes:
        relevance: mean log-probability of question and statement after the section; larger is more relevant.
        plain: log-probabilities of the section's ids without the question; empty where they were not asked for.
    """

    section: Section
    relevance: float
    plain: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Asked:
    """The question in the scorer's ids, as it stands before and behind a text.

    Attributes:
        text: the line before a text. turn: what stands between a text and the question.
        ahead: question, and the line before a text. behind: question and restrictive statement.
    """

    text: Ids
    turn: Ids
    ahead: Ids
    behind: Ids

    @classmethod
    def of(cls, question: str, statement: str, scorer: Scorer) -> Asked:
        """The ids of everything that is asked with."""
        text, asked = scorer.ids(TEXT), scorer.ids(question)
        ahead = (*scorer.ids(QUESTION.lstrip()), *asked, *scorer.ids("\n\n"), *text)
        return cls(text, scorer.ids(QUESTION), ahead, (*asked, *scorer.ids(f"\n{statement}")))

    @property
    def taken(self) -> int:
        """The most tokens that stand beside a text in one request."""
        return max(len(self.text) + len(self.turn) + len(self.behind), len(self.ahead))


def ranked(sections: Sequence[Section], asked: Asked, scorer: Scorer, *, plain: bool) -> Work[list[Ranked]]:
    """Sections by relevance, the most relevant first; of equals the earlier first. All are asked about at once.

    Args:
        sections: in the order of the text.
        asked: the question.
        scorer: who is asked.
        plain: ask for the sections' own log-probabilities too: the same pass yields them.
    """
    requests = [
        scorer.score((*asked.text, *one.ids, *asked.turn), asked.behind, "rank", whole=plain) for one in sections
    ]
    replies = yield requests
    found = []
    for section, request, reply in zip(sections, requests, replies, strict=True):
        start = len(asked.text)
        values = logprobs_before(request, reply)[start : start + len(section.ids)] if plain else np.empty(0)
        found.append(Ranked(section, float(logprobs(request, reply).mean()), values))
    return sorted(found, key=lambda one: -one.relevance)
