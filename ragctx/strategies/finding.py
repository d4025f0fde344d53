"""Finding passages by a retriever: by name or object, for nothing where no model is needed, never empty-handed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar, cast

import numpy as np

from ragctx.contracts import CostedPreparation, CostedRetriever, Retriever, SizedRetriever
from ragctx.corpus import Corpus
from ragctx.models import Models
from ragctx.registry import make, meant, options
from ragctx.types import Context, Document, Line, Passage, Question, Range
from ragctx.types.costs import ZERO
from ragctx.types.names import worded
from ragctx.work import Generate, Reply, Work

T = TypeVar("T")
# Signals of a context: tokens that writing models were billed while it was searched for; and 1 where nothing is handed
# over on purpose, since nothing that was found answers.
SEARCHED, REFUSED = "search_tokens", "refused"
ONCE = Range.exactly(1)
# Retrievers that always find as many chunks as they are asked for, where there are as many.
RANK_ALL = ("hybrid", "dense")
# Retrievers that ask an encoder for every question, wherever there is one.
_ALWAYS_ASK = ("hybrid", "dense")


def retriever(chosen: str | Retriever) -> Retriever:
    """The retriever itself, or the registered one of a name.

    Raises:
        UnknownName: nobody registered the name.
    """
    if not isinstance(chosen, str):
        return chosen
    # Chunk by chunk, so that passages can be ranked and taken one by one.
    single = {"merge": False} if "merge" in options("retrievers", chosen) else {}
    return cast("Retriever", make("retrievers", chosen, **single))


def find(
    chosen: str | Retriever, question: Question, corpus: Corpus, view: Corpus, limit: int, models: Models
) -> Work[Context]:
    """At most `limit` passages, best first; the documents' openings where nothing matches, which a note says.

    Args:
        chosen: a retriever or its name.
        question: what is searched for; its filter is obeyed.
        corpus: where it is searched.
        view: what of it the question may read.
        limit: the most chunks.
        models: facts about the models.
    """
    searcher = retriever(chosen)
    if view is corpus or not isinstance(searcher, CostedPreparation):
        yield from searcher.prepare(corpus, models)  # else it writes for the view alone, as it retrieves
    found = yield from searcher.retrieve(question, corpus, limit, models)
    if isinstance(chosen, str) and (note := meant("retrievers", chosen)[1]):
        found = replace(found, notes=(*found.notes, note))
    return found if found.passages or found.signals.get(REFUSED) else _openings(found, view, limit)


def find_for_nothing(
    chosen: str | Retriever, question: Question, corpus: Corpus, view: Corpus, limit: int, models: Models
) -> Context | None:
    """What `find` finds, where that calls no model; None where it would."""
    named = chosen if isinstance(chosen, str) else chosen.name
    if models.has("encoder") and named in _ALWAYS_ASK:
        return None
    return without_models(find(chosen, question, corpus, view, limit, models))


def search_line(
    chosen: str | Retriever, question: Question, models: Models, corpus: Corpus, limit: int, times: Range = ONCE
) -> tuple[Line, ...]:
    """What searching costs: what the retriever says of itself, else embedding the question.

    An encoder without a price is not billed.

    Args:
        chosen: a retriever or its name.
        question: what is searched for.
        models: facts about the models.
        corpus: where.
        limit: the most chunks of a search.
        times: how many searches there are.
    """
    if chosen == "bm25":
        return ()
    searcher = retriever(chosen)
    if isinstance(searcher, CostedRetriever):
        return tuple(_often(one, times) for one in searcher.lines(question, corpus, limit, models))
    if not models.has("encoder") or models.of("encoder").prices is None:
        return ()
    tokens = models.of("encoder").counter.count(question.text)
    return (_often(Line("encoder", Range(0, tokens, 2 * tokens + 8), ZERO, ONCE), times),)


def _often(one: Line, times: Range) -> Line:
    """A line of a request that is made so many times."""

    def product(each: Range) -> Range:
        return Range(each.low * times.low, each.expected * times.expected, each.high * times.high)

    return Line(one.role, product(one.prompt), product(one.output), product(one.calls))


def searching(found: Context) -> int:
    """Tokens that writing models were billed while it was searched for; a budget has to know of them."""
    return int(found.signals.get(SEARCHED, 0))


def sparing(question: Question, tokens: float, calls: int = 1) -> Question:
    """The question with the budget that a search may spend by itself: what the answer's own call leaves of it.

    Args:
        question: whose budget it is.
        tokens: what that call takes at most, and what was spent before.
        calls: that call, and those made before.

    Example:
        >>> from ragctx.types import Budget
        >>> sparing(Question("Why?", budget=Budget(tokens=500, calls=1)), 420).budget
        Budget(tokens=80, money=None, seconds=None, calls=0)
    """
    if question.budget is None:
        return question
    left = None if question.budget.tokens is None else max(0, question.budget.tokens - int(tokens))
    few = None if question.budget.calls is None else max(0, question.budget.calls - calls)
    return replace(question, budget=replace(question.budget, tokens=left, calls=few))


def handed(chosen: str | Retriever, view: Corpus, limit: int, models: Models) -> Range | None:
    """Tokens that a retriever hands over where it writes them itself; None where they are the corpus's chunks."""
    searcher = retriever(chosen)
    return searcher.handed(view, limit, models) if isinstance(searcher, SizedRetriever) else None


def preparing(chosen: str | Retriever, corpus: Corpus, models: Models) -> tuple[Line, ...]:
    """What preparing still asks of models that bill; nothing where only an index is built."""
    searcher = retriever(chosen)
    return searcher.preparing(corpus, models) if isinstance(searcher, CostedPreparation) else ()


def preparing_notes(chosen: str | Retriever, corpus: Corpus, models: Models) -> tuple[str, ...]:
    """What a plan tells of a retriever: which one a second name means, and what is paid once for the corpus."""
    meaning = meant("retrievers", chosen)[1] if isinstance(chosen, str) else ""
    tokens = sum(one.prompt.expected + one.output.expected for one in preparing(chosen, corpus, models))
    once = f"preparing takes about {tokens:,.0f} tokens once for this corpus, beside the questions" if tokens else ""
    return tuple(note for note in (meaning, once) if note)


def with_history(question: Question) -> Question:
    """What is searched for in a plan: a follow-up's words are mostly those of the turns before it."""
    said = " ".join(turn.text for turn in question.history[-2:])
    return replace(question, text=f"{question.text} {said}") if said else question


def without_models(work: Work[T]) -> T | None:
    """The result of work that asks no model; None as soon as it asks."""
    try:
        next(work)
    except StopIteration as done:
        return cast("T", done.value)
    work.close()
    return None


def without_writing(work: Work[object]) -> Work[bool]:
    """The work, as far as it goes without asking a model that writes; whether that was to its end."""
    given: Sequence[Reply] | None = None
    try:
        while True:
            requests = next(work) if given is None else work.send(given)
            if any(isinstance(request, Generate) for request in requests):
                return False
            given = yield requests
    except StopIteration:
        return True
    finally:
        work.close()


def paged(passages: tuple[Passage, ...], corpus: Corpus) -> tuple[Passage, ...]:
    """The passages, each with the page that it begins on, where its document has pages."""
    return tuple(
        replace(p, page=corpus.document(p.spans[0].document).page(p.spans[0].start)) if p.spans and not p.derived else p
        for p in passages
    )


def titles(passages: tuple[Passage, ...], corpus: Corpus) -> tuple[str, ...]:
    """For each passage what its document is about."""
    return tuple(titled(corpus.document(p.spans[0].document)) if p.spans else p.source for p in passages)


def titled(document: Document) -> str:
    """A document's title; where it has none, the words of its name.

    Example:
        >>> titled(Document("leases/berlin_office-2020.txt", "...")), titled(Document("a.txt", "...", title="Lease"))
        ('berlin office 2020', 'Lease')
    """
    return document.title or worded(document.id)


def _openings(found: Context, view: Corpus, limit: int) -> Context:
    """The first chunks of every document, all first ones before the second ones."""
    chunks = view.chunks
    index = np.asarray(chunks.document_index)
    starts = np.searchsorted(index, index)
    rank = np.arange(len(index)) - starts
    first = np.lexsort((index, rank))[:limit]
    passages = tuple(view.passage(chunks[int(i)]) for i in first)
    note = "nothing in the documents matches the question: their openings were read instead"
    return replace(found, passages=passages, notes=(*found.notes, note))
