"""The answer of a strategy with several calls: its sources are the passages that its calls read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ragctx.corpus import Corpus
from ragctx.grounding import grounded
from ragctx.prompts import Templates
from ragctx.prompts.replies import numbers, renumbered
from ragctx.strategies.standalone import Asked
from ragctx.types import Answer, Context, Dropped, Passage, Span
from ragctx.work import Completion


def concluded(
    asked: Asked,
    completion: Completion,
    passages: Sequence[Passage],
    corpus: Corpus,
    strategy: str,
    templates: Templates,
    notes: Sequence[str] = (),
    *,
    evidence: Iterable[int] = (),
    dropped: Sequence[Dropped] = (),
    read: Iterable[Span] | None = None,
    **data: object,
) -> Answer:
    """The answer that the last call gave, with citations, coverage and what was left unread.

    The sources of an answer are looked up in the passages that it names itself and in those that the evidence it was
    written from named; where neither names any, in all of them.

    Args:
        asked: the question.
        completion: what the last call wrote; marks like [12] name passages by the numbers the prompts gave them.
        passages: all that were read, passage n being number n + 1.
        corpus: what the question may read; coverage is given for each of its documents.
        strategy: the strategy's name.
        templates: those that have the refusal the prompt asked for.
        notes: besides the question's own.
        evidence: numbers of passages that earlier replies named.
        dropped: what was considered and not read.
        read: what was read, where that is not the passages' spans.
        **data: `data=` the parsed value where an `answer_type` was asked for.

    Example:
        >>> from ragctx.prompts import shipped
        >>> from ragctx.types import Question
        >>> corpus = Corpus.of("Pets are welcome.", "The notice period is three months.")
        >>> answer = concluded(
        ...     Asked(Question("What is the notice period?")), Completion("Three months [2]."),
        ...     corpus.everything().passages, corpus, "chain", shipped())
        >>> answer.text, answer.citations[0].source, [one.share for one in answer.coverage]
        ('Three months.', 'text-2', [1.0, 1.0])
    """
    known = range(1, len(passages) + 1)
    named = [n for n in dict.fromkeys((*numbers(completion.text), *evidence)) if n in known]
    chosen = sorted(named) or list(known)
    said = replace(completion, text=renumbered(completion.text, {n: at for at, n in enumerate(chosen, 1)}))
    context = Context(tuple(passages[n - 1] for n in chosen), tuple(dropped))
    answer = grounded(
        asked.question, strategy, said, context, corpus, templates=templates, notes=(*asked.notes, *notes), **data
    )
    spans = [span for passage in passages for span in passage.spans] if read is None else read
    return replace(answer, coverage=corpus.coverage(spans))
