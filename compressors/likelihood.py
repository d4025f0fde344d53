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

# What stands before a text and before a question, so that both begin a line in every request. Of 24 multi-hop questions
# with ten passages each, the first passage with evidence has the mean reciprocal rank .87 in this frame and .83 without
# one (SmolLM2-135M); which passages follow is often decided by such words, so the two orders correlate by .7 only.
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
        text: the line before a text that is ranked. turn: what stands between a text and the question.
        ahead: question, and the line before a text. behind: question and restrictive statement.
        alone: the line before a text that is weighed without the question.
    """

    text: Ids
    turn: Ids
    ahead: Ids
    behind: Ids
    alone: Ids

    @classmethod
    def of(cls, question: str, statement: str, scorer: Scorer, *, framed: bool = True) -> Asked:
        """The ids of everything that is asked with.

        Args:
            question: what is asked.
            statement: that the text answers it.
            scorer: whose ids they are.
            framed: text and question begin lines that say what they are; else the question follows the text at once.
        """
        asked = scorer.ids(question)
        if not framed:
            line = scorer.ids("\n")  # something has to stand before a first token
            return cls((), (), (*asked, *scorer.ids("\n\n")), (*asked, *scorer.ids(f" {statement}")), line)
        text = scorer.ids(TEXT)
        ahead = (*scorer.ids(QUESTION.lstrip()), *asked, *scorer.ids("\n\n"), *text)
        return cls(text, scorer.ids(QUESTION), ahead, (*asked, *scorer.ids(f"\n{statement}")), text)

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
