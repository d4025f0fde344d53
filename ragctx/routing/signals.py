"""Named numbers about a question and its documents, found without any model call.

Text signals cost microseconds; size signals read counts that the corpus keeps; retrieval signals take one BM25 look-up.
BM25 scores mean nothing across collections, so they are standardised within the document set: divided by what a chunk
would score that held every term of the question, each found in no other chunk. A signal that is not known (no window,
no price) is absent. What each name means is in `ragctx.routing.names.SIGNALS`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ragctx import registry, windows
from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.models import ModelFacts, Models
from ragctx.routing.kinds import cues, kinds
from ragctx.routing.policy import Policy
from ragctx.routing.words import content_terms, is_english, stem, words
from ragctx.types import Passage, Question
from ragctx.work import run

LOOK_AT = 10
_DIGITS = 4


def signals(
    question: Question, corpus: Corpus, models: Models, policy: Policy | None = None, *, retrieval: bool = True
) -> dict[str, float]:
    """Every signal of one question, rounded to four digits, in a stable order.

    Args:
        question: its `where` decides which documents count, its last earlier turn lends its words to a follow-up.
        corpus: the documents.
        models: facts of the reader.
        policy: cue words and weights; the built-in policy when not given.
        retrieval: False leaves BM25 out (no index is built), for questions whose strategy the user named.

    Raises:
        UnknownName: no retriever named "bm25" is installed.
    """
    policy = policy or Policy.load()
    view = corpus.select(question.where) if question.where else corpus
    found = text_signals(question, policy) | size_signals(question, view, models)
    if retrieval and found["documents"]:
        found |= retrieval_signals(question, corpus, models)
    found |= {f"kind_{kind}": share for kind, share in kinds(question.text, policy, found).items()}
    return {name: round(float(value), _DIGITS) for name, value in found.items()}


def text_signals(question: Question, policy: Policy) -> dict[str, float]:
    """Length, language, cues.

    Example:
        >>> found = text_signals(Question("How many tenants signed?"), Policy.load())
        >>> found["words"], found["terms"], found["cue_aggregation"]
        (4, 2, 1.0)
    """
    return {
        "words": len(words(question.text)),
        "characters": len(question.text),
        "terms": len(content_terms(question.text)),
        "english": is_english(question.text),
        "followup": bool(question.history),
        **{f"cue_{name}": count for name, count in cues(question.text, policy).items()},
    }


def size_signals(question: Question, corpus: Corpus, models: Models) -> dict[str, float]:
    """Documents, their tokens, and how these stand to the reader's windows, declared and effective, and its price."""
    reader = models.reader
    tokens = corpus.tokens(reader)
    found: dict[str, float] = {"documents": len(corpus.documents), "document_tokens": tokens}
    if reader.window is not None:
        needed = tokens + reader.counter.count(question.text)
        found |= {"window": reader.window, "window_ratio": tokens / reader.window, "fits": needed <= reader.window}
    found |= effective_signals(tokens, reader)
    if reader.prices is not None:
        found["price_prompt"] = reader.prices.prompt
    return found


def effective_signals(tokens: int, reader: ModelFacts) -> dict[str, float]:
    """How the documents stand to the window that a reader really reads; empty where none is known.

    Example:
        >>> from ragctx.models import ModelFacts
        >>> effective_signals(4_096, ModelFacts("a reader that nobody probed", window=8_192))
        {'effective_window': 8192, 'effective_ratio': 0.5, 'effective_measured': False}
    """
    window, measured = windows.effective(reader.identity or reader.name, reader.window)
    if not window:
        return {}
    return {"effective_window": window, "effective_ratio": tokens / window, "effective_measured": measured}


def retrieval_signals(question: Question, corpus: Corpus, models: Models) -> dict[str, float]:
    """Shape of the BM25 scores and coverage of the question's terms; empty when nothing was found to look at."""
    asked = standing(question)
    retriever: Retriever = registry.make("retrievers", "bm25")
    run(retriever.prepare(corpus, models))
    context = run(retriever.retrieve(asked, corpus, LOOK_AT, models))
    terms = content_terms(asked.text)
    scores = sorted((max(0.0, p.score or 0.0) for p in context.passages), reverse=True)
    return score_shape(scores, len(terms), len(corpus.chunks)) | coverage(terms, context.passages)


def score_shape(scores: Sequence[float], terms: int, chunks: int) -> dict[str, float]:
    """Best score, gaps and entropy of BM25 scores, best first.

    Args:
        scores: BM25 scores, not below 0.
        terms: content terms of the question.
        chunks: chunks of the corpus.

    Example:
        >>> shape = score_shape([4.0, 2.0, 1.0], terms=2, chunks=100)
        >>> {name: round(value, 2) for name, value in shape.items()}
        {'bm25_top1': 0.48, 'bm25_gap2': 0.5, 'bm25_gap5': 1.0, 'bm25_entropy': 0.87}
    """
    best = scores[0] if scores else 0.0
    second, fifth = ([*scores, 0.0, 0.0, 0.0, 0.0, 0.0][rank] for rank in (1, 4))
    bound = terms * math.log(1 + (chunks - 0.5) / 1.5) if chunks else 0.0
    return {
        "bm25_top1": min(1.0, best / bound) if bound > 0 else 0.0,
        "bm25_gap2": 1 - second / best if best else 0.0,
        "bm25_gap5": 1 - fifth / best if best else 0.0,
        "bm25_entropy": _entropy(scores[:LOOK_AT]),
    }


def coverage(terms: Sequence[str], passages: Sequence[Passage]) -> dict[str, float]:
    """Share of the terms in the best passage and in the best five, and how many documents these come from.

    Example:
        >>> lease = Passage("The rent falls due in May.", (), "lease.txt")
        >>> coverage(content_terms("When is the rent due, when the deposit?"), [lease])
        {'coverage_top1': 0.6666666666666666, 'coverage_top5': 0.6666666666666666, 'spread_documents': 1.0}
    """
    read = [{stem(word) for word in words(passage.text)} for passage in passages[:5]]
    documents = {span.document for passage in passages[:5] for span in passage.spans[:1]}
    return {
        "coverage_top1": _share(terms, read[0]) if read else 0.0,
        "coverage_top5": _share(terms, set().union(*read)),
        "spread_documents": max(1, len(documents)) / len(read) if read else 0.0,
    }


def _share(terms: Sequence[str], known: set[str]) -> float:
    return sum(term in known for term in terms) / len(terms) if terms else 0.0


def _entropy(scores: Sequence[float]) -> float:
    total = sum(scores)
    if len(scores) < 2 or total <= 0:
        return 0.0
    shares = [score / total for score in scores]
    return -sum(share * math.log(share) for share in shares if share > 0) / math.log(len(scores))


def standing(question: Question) -> Question:
    """A follow-up with the words of the last earlier turn of the user, without which it names nothing."""
    asked = [turn.text for turn in question.history if turn.speaker == "user"]
    return replace(question, text=f"{asked[-1]} {question.text}") if asked else question
