"""The answer of a strategy with several calls: its sources are the passages that its calls read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ragctx.corpus import Corpus
from ragctx.errors import RequestFailed
from ragctx.grounding import declined, grounded
from ragctx.prompts import Prompt, Templates
from ragctx.prompts.replies import numbers, renumbered
from ragctx.strategies.answering import must_say_something
from ragctx.strategies.purse import Purse
from ragctx.strategies.standalone import Asked
from ragctx.types import Answer, Context, Dropped, Passage, Question, Span
from ragctx.work import Completion, Generate, Work, ask

# Most characters between two passages that are looked at for being blank.
_BLANKS = 64


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
    return replace(answer, coverage=corpus.coverage(_closed(spans, corpus)))


def _closed(spans: Iterable[Span], corpus: Corpus) -> list[Span]:
    """The spans, with the blanks between those that follow each other: who read two neighbours read it all."""
    closed: list[Span] = []
    for span in sorted(spans):
        last = closed[-1] if closed else None
        near = last is not None and last.document == span.document and 0 <= span.start - last.end <= _BLANKS
        if last is not None and near and not corpus.text(Span(span.document, last.end, span.start)).strip():
            closed[-1] = replace(last, end=max(last.end, span.end))
        else:
            closed.append(span)
    return closed


def last(
    question: Question, request: Generate, prompt: Prompt, purse: Purse
) -> Work[tuple[Completion, dict[str, object]]]:
    """The last call: its completion, and `{"data": value}` where data was asked for, to be handed to `concluded`.

    A reply that is not valid data is sent back once, with what is wrong with it, where the budget allows that.

    Args:
        question: what is asked.
        request: the call.
        prompt: how it was written; its schema is that of the data.
        purse: of the question; what is spent here is booked there.

    Raises:
        LimitError: window or budget do not hold the call. RequestFailed: the model's reply is of no use.
    """
    from ragctx.structured import parse

    facts, output = purse.facts, request.sampling.max_tokens
    purse.check(facts.counter.render(request.messages), output)
    completion = yield from ask(request)
    purse.paid(completion)
    if question.answer_type is None:
        must_say_something(completion.text)
        return completion, {}
    parsed = parse(question.answer_type, completion.text)
    if parsed.problem and not declined(completion.text, prompt.templates):
        again = prompt.repair(request.messages, completion.text, parsed.problem)
        purse.check(facts.counter.render(again), output)
        completion = yield from ask(replace(request, messages=again, purpose="repair", final=False))
        purse.paid(completion)
        parsed = parse(question.answer_type, completion.text)
    if parsed.problem and not declined(completion.text, prompt.templates):
        raise RequestFailed(
            "malformed",
            f"two replies do not follow {question.answer_type.__name__}: {parsed.problem}; use a simpler answer_type, "
            "a larger max_output, or a model with structured output",
        )
    return completion, {"data": parsed.data}
