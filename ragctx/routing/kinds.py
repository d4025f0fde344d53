"""Which kind of question it is, as probabilities, from cue words, length and what retrieval found.

A log-linear model over the policy file's cues: log prior + length + weights of the cues that match, then softmax.
That the documents may not hold the answer cannot be read off a question; that probability comes from retrieval signals
and takes its share from the other kinds, mostly from those whose answer would stand in one place. Cue words are
English; for other languages every kind is equally likely, which the decision says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache

from ragctx.routing.names import FORMS, UNANSWERABLE
from ragctx.routing.policy import Policy
from ragctx.routing.words import is_english, words

_compiled = lru_cache(maxsize=512)(re.compile)


def cues(text: str, policy: Policy) -> dict[str, float]:
    """How many cues of each name match; every name of the policy is there.

    Example:
        >>> found = cues("Is the first lease longer than the second?", Policy.load())
        >>> found["comparison"], found["yes_no"], found["summary"]
        (1.0, 1.0, 0.0)
    """
    lowered = _normal(text)
    counts = dict.fromkeys((cue.name for cue in policy.cues), 0.0)
    for cue in policy.cues:
        counts[cue.name] += bool(_compiled(cue.pattern).search(lowered))
    return counts


def forms(text: str, policy: Policy) -> dict[str, float]:
    """Probability of each kind of answerable question; they sum to 1.

    Example:
        >>> likely = forms("How do the two reports differ?", Policy.load())
        >>> max(likely, key=likely.get)
        'comparison'
    """
    if not is_english(text):
        return dict.fromkeys(FORMS, 1 / len(FORMS))
    lowered, kinds = _normal(text), policy.kinds
    doublings = math.log2(max(1, len(words(text))) / kinds.typical_words)
    scores = {kind: math.log(kinds.priors[kind]) + kinds.length[kind] * doublings for kind in FORMS}
    for cue in policy.cues:
        if _compiled(cue.pattern).search(lowered):
            scores[cue.toward] += cue.weight
    return _softmax(scores)


def kinds(text: str, policy: Policy, signals: Mapping[str, float]) -> dict[str, float]:
    """Probability of every kind, `unanswerable` included; they sum to 1.

    Without retrieval signals nothing is held against the documents: `unanswerable` is 0.
    """
    silent, reach = policy.unanswerable.at(signals) or 0.0, policy.unanswerable.reach
    shares = {kind: share * (1 - silent * reach[kind]) for kind, share in forms(text, policy).items()}
    return shares | {UNANSWERABLE: max(0.0, 1 - sum(shares.values()))}


def _normal(text: str) -> str:
    return " ".join(text.lower().split())


def _softmax(scores: Mapping[str, float]) -> dict[str, float]:
    top = max(scores.values())
    weights = {kind: math.exp(score - top) for kind, score in scores.items()}
    total = sum(weights.values())
    return {kind: weight / total for kind, weight in weights.items()}
