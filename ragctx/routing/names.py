"""The vocabulary of routing: kinds of questions and names of signals, each with what it means.

`ragctx explain` prints these lines, the policy file is checked against them, and decisions store the names: a name that
was published once does not change its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FORMS: Final = ("single_fact", "multi_part", "comparison", "aggregation", "summary", "reasoning")
UNANSWERABLE: Final = "unanswerable"
KINDS: Final = (*FORMS, UNANSWERABLE)
SECOND: Final = ("reranker_max", "all_pruned")  # known only after a second look, which costs something

SIGNALS: Final[Mapping[str, str]] = {
    "words": "words of the question",
    "characters": "characters of the question",
    "terms": "distinct words of the question that carry meaning",
    "english": "1 when cue words can be trusted: the question is in English",
    "followup": "1 when the question has earlier turns",
    "documents": "documents the question may read",
    "document_tokens": "tokens of those documents, by the reader's counter",
    "window": "the reader's window in tokens",
    "window_ratio": "document tokens over the reader's window",
    "effective_window": "tokens that the reader really reads, measured by `ragctx probe`; else its declared window",
    "effective_ratio": "document tokens over the reader's effective window",
    "effective_measured": "1 when the effective window was measured, 0 when the declared one stands in for it",
    "fits": "1 when the documents and the question fit the reader's window",
    "price_prompt": "price of a million prompt tokens",
    "bm25_top1": "best BM25 score over that of a chunk holding every term of the question, each a rare one; 0 to 1",
    "bm25_gap2": "how far the second chunk falls behind the best, as a share of the best score",
    "bm25_gap5": "how far the fifth chunk falls behind the best, as a share of the best score",
    "bm25_entropy": "how evenly the first ten scores are spread: 0 one stands out, 1 all alike",
    "coverage_top1": "share of the question's terms in the best chunk",
    "coverage_top5": "share of the question's terms in the best five chunks together",
    "spread_documents": "distinct documents among the best five chunks, as a share of what is possible",
    "reranker_max": "how likely the likeliest of the best passages answers, by the ranker; known after a second look",
    "all_pruned": "1 when the ranker needs no sentence of the best passages; known after a second look",
    **{f"kind_{kind}": f"probability that the question is of the kind {kind}" for kind in KINDS},
}


def known_signal(name: str) -> bool:
    """Whether a policy may name this signal: one of `SIGNALS`, or `cue_` and a cue's name.

    Example:
        >>> known_signal("window_ratio"), known_signal("cue_yes_no"), known_signal("moon_phase")
        (True, True, False)
    """
    return name in SIGNALS or name.startswith("cue_")
