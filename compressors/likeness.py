"""How much texts are like a question: by an encoder where there is one, else by the words they share."""

from __future__ import annotations

import math
from collections import Counter as Tally
from collections.abc import Sequence

from ragctx.compressors.vectors import rows
from ragctx.grounding.words import content
from ragctx.models import Models
from ragctx.types import Line, Range
from ragctx.types.costs import ZERO
from ragctx.work import Embed, Work

_NOTE = "no encoder: likeness to the question is told by shared words"


def likeness(question: str, texts: Sequence[str], models: Models) -> Work[tuple[list[float], str]]:
    """A number from 0 to 1 for each text, larger for what is more like the question, and a note where words decide.

    Args:
        question: what is asked.
        texts: to be weighed; where there is none, nobody is asked.
        models: facts; the role "encoder" is asked where it is played.
    """
    if not texts:
        return [], ""
    if not models.can("encoder", "Embed"):
        return shared(question, texts), _NOTE
    asked, read = yield [Embed((question,), query=True), Embed(tuple(texts))]
    cosines = rows(read, len(texts)) @ rows(asked, 1)[0]
    return [min(1.0, max(0.0, float(cosine))) for cosine in cosines], ""


def line(context_tokens: int, texts: int, question_tokens: int, models: Models) -> tuple[Line, ...]:
    """What the encoder is expected to read for one `likeness`; nothing where there is none."""
    if not models.can("encoder", "Embed"):
        return ()
    read = context_tokens + question_tokens + 2 * texts
    return (Line("encoder", Range(0.8 * read, read, 1.3 * read), ZERO, Range.exactly(2)),)


def shared(question: str, texts: Sequence[str]) -> list[float]:
    """The share of a question's content words that each text holds; a word of few texts weighs more.

    Example:
        >>> texts = ["Pets are fine.", "Rent is high.", "Rent is due in May."]
        >>> [round(number, 2) for number in shared("When is rent due?", texts)]
        [0.0, 0.4, 1.0]
    """
    asked = content(question)
    held = [asked & content(text) for text in texts]
    spread = Tally(word for words in held for word in words)
    weight = {word: math.log(1 + len(texts) / spread[word]) for word in spread}
    total = sum(weight.values())
    return [sum(weight[word] for word in sorted(words)) / total if total else 0.0 for words in held]
