"""The numbers of a scripted model: drawn from hashes, or counted in words."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from ragctx.readers.script import WordCounter
from ragctx.requests import Relevances, Rerank, Score, Scores, Stretch

if TYPE_CHECKING:
    import numpy as np

_WORD = re.compile(r"\w+")


def _draw(*parts: str) -> int:
    return int.from_bytes(hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()[:4])


def score(request: Score) -> Scores:
    """Log-probabilities between -8 and 0, as a language model's that has learnt nothing but to expect repetition.

    A token that stood earlier, in the prefix or in the target, is far likelier than a new one, and what follows such a
    token is a little likelier. The rest is drawn from hashes of a token and the one before it. As with a real
    model, a token's number depends on what stands before it and on nothing else.

    Example:
        >>> said, unsaid = score(Score("Rent is due.", "rent")), score(Score("Pets are welcome.", "rent"))
        >>> said.logprobs > unsaid.logprobs
        True
    """
    before, target = _ids(request.prefix), _ids(request.target)
    known = _logprobs((*before, *target))
    own = WordCounter().pieces(request.target)[1] if isinstance(request.target, str) else ()
    given = (0.0, *known[1 : len(before)]) if request.whole and before else ()
    return Scores(known[len(before) :], target, tuple(own), len(known), before=given)


def _ids(part: str | tuple[int, ...]) -> tuple[int, ...]:
    return tuple(WordCounter().pieces(part)[0]) if isinstance(part, str) else part


def _logprobs(ids: Sequence[int]) -> tuple[float, ...]:
    found, seen, last, repeated = [], set[int](), 0, False
    for token in ids:
        expected = 0.7 if repeated else 1.0
        repeated = token in seen
        found.append(-_surprise(last, token) * expected * (0.15 if repeated else 1.0))
        seen.add(token)
        last = token
    return tuple(found)


def _surprise(last: int, token: int) -> float:
    """Between 2 and 8: a token's own, and a little of how it follows the last one."""
    return 2 + zlib.crc32(b"%d" % token) % 500 / 100 + zlib.crc32(b"%d,%d" % (last, token)) % 100 / 100


def embedded(texts: Sequence[str], dimensions: int) -> np.ndarray:
    """Hashed bags of words, shape (len(texts), dimensions), float32, unit length."""
    import numpy as np

    rows = np.zeros((len(texts), dimensions), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in _WORD.findall(text.lower()):
            row[_draw(word) % dimensions] += 1
        if not row.any():
            row[0] = 1  # a text without words still has a direction
    unit: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def overlap(query: str, text: str) -> float:
    """Share of the query's words that stand in the text."""
    asked = set(_WORD.findall(query.lower()))
    return len(asked & set(_WORD.findall(text.lower()))) / len(asked) if asked else 0.0


def ranked(request: Rerank, said: str = "") -> Relevances:
    """Relevance of texts and of their units as `overlap`, and answers as `pointed`."""
    query, texts = request.query, request.texts
    keeps = tuple(
        tuple(overlap(query, text[start:end]) for start, end in units)
        for text, units in zip(texts, request.units, strict=bool(request.units))
    )
    answers = tuple(pointed(query, text, said)[: request.answers] for text in texts) if request.answers else ()
    tokens = sum(map(WordCounter().count, (*texts, *request.titles)))
    return Relevances(tuple(overlap(query, text) for text in texts), tokens, keeps=keeps, answers=answers)


def pointed(query: str, text: str, said: str = "") -> tuple[Stretch, ...]:
    """Where a text says what a rule replies, for certain; else its runs of the query's words, the fullest first.

    Args:
        query: whose words are looked for.
        text: where they may stand.
        said: what a rule replies to the query; empty where none does.

    Example:
        >>> pointed("notice period", "A notice. The notice period is long.")
        (Stretch(start=14, end=27, probability=1.0), Stretch(start=2, end=8, probability=0.5))
        >>> pointed("notice period", "The notice period is long.", "long")
        (Stretch(start=21, end=25, probability=1.0),)
    """
    place = text.find(said) if said else -1
    if place >= 0:
        return (Stretch(place, place + len(said), 1.0),)
    asked = set(_WORD.findall(query.lower()))
    runs = groupby(_WORD.finditer(text), lambda word: word.group().lower() in asked)
    borders = [(words[0].start(), words[-1].end()) for words in (list(run) for found, run in runs if found)]
    stretches = [Stretch(start, end, overlap(query, text[start:end])) for start, end in borders]
    return tuple(sorted(stretches, key=lambda stretch: -stretch.probability))
