"""Makes a follow-up one question that can be understood without the conversation."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from ragctx.errors import RequestFailed
from ragctx.models import Models
from ragctx.prompts import Templates, standalone
from ragctx.types import Line, Question, Range
from ragctx.work import Generate, Sampling, Work, ask

# A question is short; more than this would be an answer.
MOST = 96
EXPECTED = 24
_LEAD = re.compile(r"^(?:(?:the\s+)?(?:rewritten|standalone|revised|last)\s+question(?:\s+is)?|question)\s*:\s*", re.I)


@dataclass(frozen=True, slots=True)
class Asked:
    """The question to read for.

    Attributes:
        question: without history. spent: tokens billed for it so far.
        notes: the rewritten text, for the answer's account.
    """

    question: Question
    spent: int = 0
    notes: tuple[str, ...] = ()


def alone(question: Question, models: Models, templates: Templates) -> Work[Asked]:
    """The question itself, or for a follow-up what a model makes of it and its history.

    Raises:
        RequestFailed: the rewriting failed; guessing what a follow-up means would be worse.
        DoesNotFit: the conversation is longer than the reader's window.
    """
    if not question.history:
        return Asked(question)
    messages = standalone(question, templates)
    models.reader.must_fit(models.reader.counter.render(messages), MOST)
    request = Generate(messages, purpose="standalone question", sampling=Sampling(max_tokens=MOST))
    try:
        completion = yield from ask(request)
    except RequestFailed as error:
        raise RequestFailed(error.kind, f"a follow-up could not be made a standalone question: {error}") from error
    text = _tidy(completion.text)
    if not text:
        raise RequestFailed("empty", "the model made nothing of a follow-up: ask it without history, or another model")
    spent = completion.prompt_tokens + completion.output_tokens
    return Asked(replace(question, text=text, history=()), spent, (f"read as: {text}",))


def line(question: Question, models: Models, templates: Templates) -> tuple[Line, ...]:
    """What the rewriting is expected to cost; nothing without history."""
    if not question.history:
        return ()
    prompt = models.reader.counter.render(standalone(question, templates))
    return (Line("reader", Range.exactly(prompt), Range(1, EXPECTED, MOST), Range.exactly(1)),)


def _tidy(text: str) -> str:
    """The first line that says something, without the label and quotes models put around it."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return _LEAD.sub("", first).strip("\"'*\u201c\u201d ").strip()
