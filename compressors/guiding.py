"""Guiding questions: what else somebody would ask to answer a question, and how near each is to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ragctx.compressors.vectors import rows
from ragctx.models import Models
from ragctx.prompts import harmless
from ragctx.types import Line, Range
from ragctx.types.costs import ZERO
from ragctx.work import Completion, Embed, Generate, Message, Reply, Sampling, Work

_TASK = (
    "Somebody will search documents for the answer to the question below. Write {count} short questions that would "
    "lead to it or would check it: about the people, things, places, times and amounts that it turns on, and about the "
    "steps between. Write one question a line and nothing else.\n\nQuestion: {question}"
)
_MORE = 2  # more questions are asked for than are used, so that the nearest can be chosen
_EACH = 32  # tokens of one question
_LONGEST = 300  # characters of one question
_MARKS = re.compile(r"^[\s\-*\u2022>]*(?:\(?\d+[.):]\s*|Q\d*\s*[.:]\s*)?")
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Guide:
    """A question that passages are ranked by, and how much it counts; the one that was asked counts 1."""

    text: str
    weight: float = 1.0


def guides(question: str, count: int, models: Models) -> Work[tuple[list[Guide], list[str]]]:
    """The question itself and the guiding questions nearest to it, and notes on what could not be had.

    No document is shown to the reader, so this takes one short request whatever there is to read.

    Args:
        question: what is asked.
        count: guiding questions at most; 0 asks nobody.
        models: facts; the reader writes them and the role "encoder", where it is played, says how near they are.
    """
    own = Guide(question)
    if count < 1:
        return [own], []
    if not models.can("reader", "Generate"):
        return [own], ["no guiding questions: no model here writes, the question alone ranks"]
    [reply] = yield [_request(question, count, models)]
    found = _read(reply, question, count)
    if not found:
        told = reply.text[:80] if isinstance(reply, Completion) else reply.message  # type: ignore[union-attr]
        return [own], [f"no guiding questions ({harmless(' '.join(told.split()))}): the question alone ranks"]
    if not models.can("encoder", "Embed"):
        return [own, *map(Guide, found[:count])], ["no encoder: guiding questions count as much as the question"]
    [reply] = yield [Embed((question, *found))]
    asked, *others = rows(reply, 1 + len(found))
    near = sorted((Guide(text, _weight(row @ asked)) for text, row in zip(found, others, strict=True)), key=_nearest)
    return [own, *near[:count]], []


def lines(count: int, question_tokens: int, models: Models) -> tuple[Line, ...]:
    """What guiding questions are expected to cost, by role."""
    if count < 1 or not models.can("reader", "Generate"):
        return ()
    frame = models.reader.counter.render((Message("user", _TASK.format(count=count, question="")),))
    prompt, wanted = Range.exactly(frame + question_tokens), count + _MORE
    written = Range(1, 16 * wanted, _EACH * wanted)
    reader = Line("reader", prompt, written, Range.exactly(1))
    if not models.can("encoder", "Embed"):
        return (reader,)
    read = Range(question_tokens, question_tokens + 16 * wanted, question_tokens + _EACH * wanted)
    return reader, Line("encoder", read, ZERO, Range.exactly(1))


def _request(question: str, count: int, models: Models) -> Generate:
    task = _TASK.format(count=count + _MORE, question=harmless(question))
    most = min(filter(None, (_EACH * (count + _MORE), models.reader.max_output)))
    return Generate((Message("user", task),), purpose="guide", sampling=Sampling(max_tokens=most), tolerant=True)


def _read(reply: Reply, question: str, count: int) -> list[str]:
    """The questions of a reply, each once, without their numbers; a last one that was cut off is left out."""
    if not isinstance(reply, Completion):
        return []
    written = [_MARKS.sub("", line).strip() for line in reply.text.splitlines()]
    if reply.finish == "length" and len(written) > 1:
        written.pop()
    said = [line for line in written if _LETTER.search(line) and len(line) <= _LONGEST and not line.endswith(":")]
    asked = [line for line in said if line.endswith(("?", "\uff1f"))] or said
    once = {line.casefold(): line for line in reversed(asked) if line.casefold() != question.strip().casefold()}
    return list(reversed(once.values()))[: count + _MORE]


def _weight(cosine: float) -> float:
    return min(1.0, max(0.0, float(cosine)))


def _nearest(guide: Guide) -> float:
    return -guide.weight


def weighted(values: Sequence[float], asked: Sequence[Guide]) -> float:
    """The mean of values of some questions, each counting by its weight.

    Example:
        >>> weighted([2.0, 1.0], [Guide("a"), Guide("b", 0.25)])
        1.8
    """
    return sum(value * guide.weight for value, guide in zip(values, asked, strict=True)) / sum(g.weight for g in asked)
