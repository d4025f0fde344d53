"""What refining retrievers have in common: a reader that may write something to search with, and the search itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from ragctx.contracts import Retriever
from ragctx.corpus import Corpus
from ragctx.errors import ConfigError
from ragctx.models import ModelFacts, Models
from ragctx.prompts.replies import unprompted
from ragctx.retrievers.fusion import fuse
from ragctx.retrievers.merging import NAMED
from ragctx.strategies.finding import REFUSED, SEARCHED, retriever, search_line
from ragctx.strategies.purse import Purse
from ragctx.strategies.together import succeeded, together
from ragctx.types import Context, Dropped, Line, Passage, Question, Range
from ragctx.work import Completion, Failure, Generate, Message, Sampling, Work

# Passages that each search finds before they are fused or cut, whatever the limit: so a smaller limit takes the head.
DEPTH = 50


@dataclass(frozen=True, slots=True)
class Written:
    """What the reader wrote, what it was billed, and what a person should know where it wrote nothing."""

    texts: tuple[str, ...] = ()
    spent: int = 0
    notes: tuple[str, ...] = ()


def written(
    messages: tuple[Message, ...],
    purpose: str,
    question: Question,
    models: Models,
    sampling: Sampling,
    times: int = 1,
    instruction: str = "",
) -> Work[Written]:
    """What the reader writes, as many times as the budget allows; nothing and a note where it cannot.

    Args:
        messages: the whole prompt.
        purpose: of the call, as the ledger shows it.
        question: whose budget is obeyed.
        models: facts about the models.
        sampling: how the reader writes.
        times: samples of the one prompt, in one batch.
        instruction: what of the prompt is no reply when it comes back; all of it where nothing is said.
    """
    reader = models.reader if models.has("reader") else None
    if reader is None or "Generate" not in reader.kinds:
        return Written(notes=(f"no {purpose}: no model can write it",))
    allowed = _allowed(question, reader, reader.counter.render(messages), sampling.max_tokens, times)
    if not allowed:
        return Written(notes=(f"no {purpose}: window or budget leaves no room for it",))
    samples = [replace(sampling, sample=number) for number in range(allowed)]
    replies = yield [Generate(messages, purpose=purpose, sampling=one, tolerant=True) for one in samples]
    spent = sum(r.prompt_tokens + r.output_tokens for r in cast("Sequence[Completion | Failure]", replies))
    failed = [f"no {purpose}: the call failed ({r.message})" for r in replies if isinstance(r, Failure)]
    said = [r.text.strip() for r in replies if isinstance(r, Completion)]
    texts = [unprompted(text, instruction or messages[-1].content).strip() for text in said]
    empty = [f"no {purpose}: the model wrote none" for text in said if not text]
    back = any(text and not own for text, own in zip(said, texts, strict=True))
    echoed = [f"no {purpose}: the model said its prompt back"] * back
    return Written(tuple(filter(None, texts)), spent, tuple(dict.fromkeys((*failed, *empty, *echoed))))


def written_line(
    messages: tuple[Message, ...], question: Question, models: Models, expected: int, most: int, times: int = 1
) -> list[Line]:
    """What `written` costs; nothing where no model writes, and perhaps nothing where a budget may be spent before."""
    if not models.has("reader") or "Generate" not in models.reader.kinds:
        return []
    prompt = models.reader.counter.render(messages)
    calls = _allowed(question, models.reader, prompt, most, times)
    sure = calls if question.budget is None else 0
    output = Range(0, calls * min(expected, most), calls * most)
    return [Line("reader", Range(sure * prompt, calls * prompt, calls * prompt), output, Range(sure, calls, calls))]


def searched(
    over: str | Retriever, question: Question, texts: Sequence[str], corpus: Corpus, limit: int, models: Models
) -> Work[list[Context]]:
    """What a retriever finds for each of the texts, all searched side by side.

    Raises:
        RagctxError: a search failed.
    """
    searcher = retriever(over)
    yield from searcher.prepare(corpus, models)
    works = [searcher.retrieve(replace(question, text=text), corpus, limit, models) for text in texts]
    if len(works) == 1:
        return [(yield from works[0])]
    return succeeded((yield from together(works)))


def searched_lines(
    over: str | Retriever, question: Question, corpus: Corpus, models: Models, searches: Range, more: int
) -> list[Line]:
    """What the searches cost: each with up to `more` tokens beside the question's own."""
    inner = search_line(over, question, models, corpus, DEPTH)
    return [
        replace(
            one,
            prompt=Range(
                one.prompt.low * searches.low,
                one.prompt.expected * searches.expected,
                (one.prompt.high + more) * searches.high,
            ),
            output=_product(one.output, searches),
            calls=_product(one.calls, searches),
        )
        for one in inner
    ]


def fused(contexts: Sequence[Context], weights: Sequence[float], limit: int, k: float = 60.0) -> Context:
    """One context of several by reciprocal rank, best first; a score is the fused sum.

    Where passages of two searches overlap, the better one stands and the other is named as dropped.

    Args:
        contexts: at least one.
        weights: one each.
        limit: the most passages.
        k: see `fusion.fuse`.
    """
    rows: dict[tuple[object, ...], int] = {}
    passages: list[Passage] = []
    rankings = []
    for context in contexts:
        ranking = []
        for passage in context.passages:
            key = (passage.spans, passage.text)
            if key not in rows:
                rows[key] = len(passages)
                passages.append(passage)
            ranking.append(rows[key])
        rankings.append(np.asarray(ranking, np.int64))
    order, sums = fuse(rankings, weights, k)
    kept: list[Passage] = []
    left: list[Passage] = []
    for row, score in zip(order.tolist(), sums.tolist(), strict=True):
        free = len(kept) < limit and not _overlaps(passages[row], kept)
        (kept if free else left).append(replace(passages[row], score=score))
    notes = tuple(dict.fromkeys(note for context in contexts for note in context.notes))
    return Context(tuple(kept), cut_off(left, kept, f"fused below rank {limit}"), notes, _signals(contexts, kept))


def cut_off(left: Sequence[Passage], kept: Sequence[Passage], reason: str) -> tuple[Dropped, ...]:
    """The first passages that are not handed over, but for what stands in one that is."""
    free = [passage for passage in left if not _overlaps(passage, kept)]
    return tuple(Dropped(span, reason) for passage in free for span in passage.spans)[:NAMED]


def refined(found: Context, spent: int, notes: Sequence[str]) -> Context:
    """A context with what refining it was billed, and what a person should know of that."""
    signals = {**found.signals, SEARCHED: found.signals.get(SEARCHED, 0.0) + spent}
    return replace(found, signals=signals, notes=(*found.notes, *notes))


def at_least(name: str, **options: int) -> None:
    """Refuse options below 1.

    Raises:
        ConfigError: naming them.
    """
    wrong = ", ".join(f"{option}={value}" for option, value in options.items() if value < 1)
    if wrong:
        raise ConfigError(f"{name} needs numbers from 1, not {wrong}")


def _allowed(question: Question, reader: ModelFacts, prompt: int, most: int, times: int) -> int:
    """How often of so many times window and budget allow a call."""
    purse, allowed = Purse.of(question, reader), 0
    while allowed < times and purse.allows(prompt, most):
        purse.paid(Completion("", prompt, most))
        allowed += 1
    return allowed


def _signals(contexts: Sequence[Context], kept: Sequence[Passage]) -> dict[str, float]:
    signals = {**contexts[0].signals}
    spent = sum(context.signals.get(SEARCHED, 0.0) for context in contexts)
    if spent:
        signals[SEARCHED] = spent
    if kept:
        signals.pop(REFUSED, None)
    return signals


def _overlaps(passage: Passage, kept: Sequence[Passage]) -> bool:
    return any(span.overlap(other) for one in kept for other in one.spans for span in passage.spans)


def _product(one: Range, other: Range) -> Range:
    return Range(one.low * other.low, one.expected * other.expected, one.high * other.high)
