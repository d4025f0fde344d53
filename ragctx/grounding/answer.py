"""From what a model wrote to an answer that says what it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ragctx.corpus import Corpus
from ragctx.errors import RequestFailed
from ragctx.grounding.citations import Cited, cite
from ragctx.grounding.echo import unfenced
from ragctx.grounding.markers import Sentence, sentences
from ragctx.grounding.refusal import certain, refuses, rests
from ragctx.prompts import Templates, shipped
from ragctx.types import Answer, Context, Question
from ragctx.work import Completion

# Marks an answer without parsed data: None is a value that data may have.
_NO_DATA = object()

_ECHO = "the model wrote nothing but the marks around passages"
UNFOUNDED = "no sentence that was read carries this answer: check it before you rely on it"


def grounded(
    question: Question,
    strategy: str,
    completion: Completion,
    context: Context,
    corpus: Corpus,
    *,
    templates: Templates | None = None,
    data: object = _NO_DATA,
    notes: Sequence[str] = (),
) -> Answer:
    """The answer a completion gives, with citations, coverage and what was left unread.

    Citation marks are taken out of the text: they number the prompt's passages, which nobody sees. `Answer.citations`
    has the sentences instead. A refusal becomes the one sentence of the templates, and the model's words go to the
    notes where they were others; a reply that only has the shape of a refusal is an answer where the documents deny
    the same. `confidence` is the geometric mean probability of the written tokens where the reader reported them,
    which ranks answers of one model against each other and is not a calibrated probability.
    `usage` and `decision` are the pipeline's to fill.

    Args:
        question: what was asked.
        strategy: the strategy's name.
        completion: what the model wrote.
        context: what it read, in the order it was numbered.
        corpus: the documents the question could read; coverage is given for each of them.
        templates: those of the prompt; the refusal they asked for is recognised.
        data: the parsed value where an `answer_type` was asked for.
        notes: fall-backs and warnings besides the context's own.

    Raises:
        RequestFailed: the reply is nothing but the marks around the passages that were read.

    Example:
        >>> from ragctx.corpus import Corpus
        >>> corpus = Corpus.of("Rent is due monthly. The notice period is three months.")
        >>> said = Completion("Three months [1].")
        >>> answer = grounded(Question("What is the notice?"), "full", said, corpus.everything(), corpus)
        >>> answer.text, answer.citations[0].text
        ('Three months.', 'The notice period is three months.')
    """
    said = templates or shipped()
    text, parts = _read(unfenced(completion.text, context.passages, corpus.manifest), data)
    if data is _NO_DATA and not text.strip():
        raise RequestFailed("empty", f"{_ECHO}: ask in other words, allow a longer answer, or use a larger model")
    found = cite(parts, context, corpus, question.text)
    declined = _empty(data) if data is not _NO_DATA else _refused(text, question, found, said)
    found = Cited(()) if declined else found
    unfounded = () if declined or found.citations else (UNFOUNDED,)
    return Answer(
        text=said.unanswerable if declined else text,
        question=question.id,
        strategy=strategy,
        answerable=not declined,
        citations=found.citations,
        unverified=found.unverified,
        confidence=_confidence(completion.logprobs),
        data=None if data is _NO_DATA else data,
        coverage=corpus.coverage(context.spans),
        dropped=context.dropped,
        notes=(
            *context.notes,
            *notes,
            *unfounded,
            *_replaced(declined, data, completion, said),
            *_warnings(completion),
        ),
    )


def declined(text: str, templates: Templates) -> bool:
    """Whether a reply says that the documents do not answer."""
    return refuses(sentences(text)[0], templates.refusal)


def _refused(text: str, question: Question, found: Cited, said: Templates) -> bool:
    """Whether a reply is a refusal: for certain, or by its shape and without a source that denies the same."""
    if certain(text, said.refusal):
        return True
    return refuses(text, said.refusal) and not rests(text, question.text, (c.text for c in found.citations))


def _replaced(declined: bool, data: object, completion: Completion, said: Templates) -> tuple[str, ...]:
    """The model's own words where the sentence that stands for a refusal took their place."""
    words = " ".join(sentences(completion.text)[0].split())
    data_only = data is not _NO_DATA and data is not None
    if not declined or data_only or not words or words.casefold().strip("\"'. ") == said.refusal.casefold().strip(". "):
        return ()
    return (f"taken for a refusal; the model wrote: {words}",)


def _read(text: str, data: object) -> tuple[str, tuple[Sentence, ...]]:
    """The text to show and the sentences to find sources for."""
    if data is _NO_DATA:
        return sentences(text)
    return readable(data), tuple(Sentence(str(value)) for value in _leaves(data) if value not in (None, True, False))


def readable(data: object) -> str:
    r"""JSON values as lines of text.

    Example:
        >>> readable({"months": 3}), readable({"from": "May", "pets": [{"kind": "cat"}, {"kind": "dog"}]})
        ('3', 'from: May\npets: kind: cat; kind: dog')
    """
    if isinstance(data, Mapping):
        if len(data) == 1 and not isinstance(only := next(iter(data.values())), Mapping | list):
            return readable(only)
        return "\n".join(f"{name}: {_inline(value)}" for name, value in data.items())
    return _inline(data)


def _inline(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_inline(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ("; " if any(isinstance(part, Mapping) for part in value) else ", ").join(map(_inline, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _leaves(data: object) -> list[object]:
    """Every value inside: scalars and nulls."""
    if isinstance(data, Mapping | list):
        parts = data.values() if isinstance(data, Mapping) else data
        return [leaf for part in parts for leaf in _leaves(part)]
    return [data]


def _empty(data: object) -> bool:
    """All values are null: the documents had nothing for any of the fields. An empty list is an answer."""
    leaves = _leaves(data)
    return bool(leaves) and all(leaf is None for leaf in leaves)


def _confidence(logprobs: Sequence[float]) -> float | None:
    return round(math.exp(sum(logprobs) / len(logprobs)), 4) if logprobs else None


def _warnings(completion: Completion) -> tuple[str, ...]:
    cut = f"the answer was cut at {completion.output_tokens} tokens: raise max_output"
    filtered = "the endpoint's content filter ended the answer"
    repeated = "the model began to repeat itself: it was stopped, and the repetition was cut"
    return {"length": (cut,), "filter": (filtered,), "loop": (repeated,)}.get(completion.finish, ())
