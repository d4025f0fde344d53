"""A second look where the first leaves strategies too near each other: one request to the model that ranks passages.

It costs something, so it belongs to reading a question and not to planning it; a plan only says that it may follow.
Whether and at which margin is the policy's to say (`second_look`), together with what the two signals are worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, cast

from ragctx import registry
from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.corpus.sentences import bounds
from ragctx.models import Models
from ragctx.routing.decide import able, switched
from ragctx.routing.names import SECOND
from ragctx.routing.signals import LOOK_AT, standing
from ragctx.strategies import reranking
from ragctx.types import Candidate, Decision, Question
from ragctx.work import Failure, Relevances, Work

PURPOSE: Final = "second look"
# How likely a sentence must be needed not to count as pruned, as where passages are pruned before they are read.
_NEEDED: Final = 0.1


def near(decision: Decision, margin: float) -> tuple[Candidate, ...]:
    """The candidates whose score is within the margin of the best, where one of them was taken.

    Where another was, it was for a reason outside the question, such as a job's budget, and nothing is open.

    Example:
        >>> from ragctx.types import Estimate
        >>> arms = [Candidate(n, Estimate(), q, 0.1, q) for n, q in (("full", 0.62), ("retrieve", 0.6), ("echo", 0.1))]
        >>> [one.strategy for one in near(Decision("full", "", candidates=tuple(arms)), 0.05)]
        ['full', 'retrieve']
    """
    arms = able(decision)
    best = max((one.score for one in arms), default=0.0)
    found = tuple(one for one in arms if one.score >= best - margin - 1e-9)
    return found if decision.strategy in {one.strategy for one in found} else ()


def unsure(decision: Decision, margin: float) -> bool:
    """Whether the signals at hand leave two strategies or more within the margin; never at a margin of 0."""
    return margin > 0 and not looked(decision) and len(near(decision, margin)) > 1


def looked(decision: Decision) -> bool:
    """Whether a decision rests on a second look: the share of answers for which this holds is the second look's rate.

    Example:
        >>> looked(Decision("full", "", {"reranker_max": 0.4, "all_pruned": 0.0}))
        True
    """
    return SECOND[0] in decision.signals


def announced(decision: Decision, margin: float, models: Models) -> Decision:
    """The decision as a plan tells it: it may be made again."""
    if not unsure(decision, margin):
        return decision
    names = ", ".join(one.strategy for one in near(decision, margin))
    told = f"{names} are within {margin:g}: a second look decides"
    if not possible(models):
        told = f"{names} are within {margin:g}, and no model ranks passages for a second look"
    return replace(decision, why=f"{decision.why}; {told}")


def possible(models: Models) -> bool:
    """Whether a model can be asked."""
    return models.can(reranking.ROLE, "Rerank")


def look(question: Question, corpus: Corpus, models: Models) -> Work[tuple[dict[str, float], str]]:
    """The signals of a second look, and why there are none where the model failed or nothing was found.

    The model reads the question with the best passages by BM25. `all_pruned` is left out where it weighs no sentences.
    """
    asked = standing(question)
    retriever: Retriever = registry.make("retrievers", "bm25")
    yield from retriever.prepare(corpus, models)
    context = yield from retriever.retrieve(asked, corpus, LOOK_AT, models)
    if not context.passages:
        return {}, "no second look: no passage was found to look at"
    prunes = models.can(reranking.ROLE, "Prune")
    units = tuple(tuple(bounds(passage.text)) for passage in context.passages) if prunes else ()
    request = reranking.asked(asked, context.passages, corpus, units)
    [reply] = yield [replace(request, purpose=PURPOSE, tolerant=True)]
    if isinstance(reply, Failure):
        return {}, f"no second look: the ranker failed ({reply.message})"
    return _signals(cast("Relevances", reply)), ""


def _signals(said: Relevances) -> dict[str, float]:
    found = {SECOND[0]: round(max(said.values), 4)}
    if said.keeps:
        found[SECOND[1]] = float(all(value < _NEEDED for keeps in said.keeps for value in keeps))
    return found


def settled(first: Decision, again: Decision, found: Mapping[str, float], margin: float) -> Decision:
    """What is done after a second look: the decision made with it, among the strategies that were near.

    Args:
        first: the decision before.
        again: the one made with the second look's signals.
        found: those signals.
        margin: the policy's.
    """
    open_ = {one.strategy for one in near(first, margin)}
    if again.strategy not in open_:
        left = [one for one in able(again) if one.strategy in open_]
        if not left:
            return first
        best = max(left, key=lambda one: (one.score, -one.cost, one.strategy))
        again = switched(again, best, f"{best.strategy} is the best of those that were near; {again.why}")
    return replace(again, why=f"{again.why}; after a second look ({_told(found)}; before: {first.strategy})")


def _told(found: Mapping[str, float]) -> str:
    pruned = "; no sentence looks needed" if found.get(SECOND[1]) else ""
    return f"best passage {found[SECOND[0]]:.2f} likely to answer{pruned}"
