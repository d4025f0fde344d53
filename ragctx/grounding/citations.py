"""Which sentences of what was read carry the answer.

A model cites passages, at best; people want the sentence. For each sentence of the answer the passages it cites are
searched for the sentences that hold its content words, figures included. What no sentence carries is dropped and
counted. A model that cites nothing (small ones rarely do) is not left without sources: all that was read is searched,
with a higher bar. This is evidence by shared words, which is cheap and explains itself; it does not judge entailment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ragctx.corpus import Corpus
from ragctx.grounding.markers import Sentence
from ragctx.grounding.sources import Found, Stretch, stretches
from ragctx.grounding.words import content, numbers
from ragctx.types import Citation, Context

# Share of an answer sentence's content words that its source sentences must hold together.
CITED = 0.5
UNCITED = 0.6
# A second source sentence must add this share.
_ADDS = 0.25
# An answer whose figures the source does not hold is worth this much of its overlap.
_NO_FIGURE = 0.5


@dataclass(frozen=True, slots=True)
class Cited:
    """The citations that hold, and how many the model gave that do not."""

    citations: tuple[Citation, ...]
    unverified: int = 0


def cite(sentences: Sequence[Sentence], context: Context, corpus: Corpus, question: str) -> Cited:
    """Find the source sentences that carry an answer's sentences.

    Args:
        sentences: the answer's, with the passage numbers each cites.
        context: what was read, in the order it was numbered.
        corpus: where the spans are looked up.
        question: its words decide between source sentences that carry the answer equally well.
    """
    read = stretches(context.passages, corpus)
    asked = content(question)
    found: list[tuple[Found, float]] = []
    unverified = 0
    for sentence in sentences:
        words = content(sentence.text)
        for number in sentence.cited:
            here = read[number - 1] if 0 < number <= len(read) else ()
            carried = _carry(words, asked, here, max(_ADDS, CITED / len(sentence.cited)))
            unverified += not carried
            found += carried
    if not found:
        everywhere = [stretch for passage in read for stretch in passage]
        found = [one for sentence in sentences for one in _unasked(content(sentence.text), asked, everywhere)]
    return Cited(tuple(_citation(one, share, corpus) for one, share in _once(found)), unverified)


def support(words: frozenset[str], source: frozenset[str]) -> float:
    """Share of the words that the source holds; halved where the words have figures and the source none of them.

    Example:
        >>> support(content("Notice is 3 months."), content("The notice period is three months."))
        1.0
        >>> support(content("Notice is 6 months."), content("The notice period is three months."))
        0.3333333333333333
    """
    if not words:
        return 0.0
    figures = numbers(words)
    share = len(words & source) / len(words)
    return share * _NO_FIGURE if figures and not figures & source else share


def _carry(
    words: frozenset[str], asked: frozenset[str], read: Sequence[Stretch], least: float
) -> list[tuple[Found, float]]:
    """One or two sentences that together hold enough of the words; none where they do not."""
    pool = [found for stretch in read for found in stretch.best(words)]
    if not pool or not words:
        return []
    first = max(pool, key=lambda found: (support(words, found.words), len(asked & found.words)))
    chosen = [first]
    missing = words - first.words
    if len(missing) >= 2:
        second = max(pool, key=lambda found: (len(missing & found.words), len(asked & found.words)))
        if len(missing & second.words) >= max(2, _ADDS * len(words)) and missing & second.words - asked:
            chosen.append(second)
    together = frozenset[str]().union(*(found.words for found in chosen))
    told = words - asked  # words of the question prove nothing: the sentence must carry what the answer adds to it
    if support(words, together) < least or (told and support(told, together) < least):
        return []
    return [(found, len(words & found.words) / len(words)) for found in chosen]


def _unasked(words: frozenset[str], asked: frozenset[str], read: Sequence[Stretch]) -> list[tuple[Found, float]]:
    """Like `_carry`; a word or two prove little, so the source must then be about the question too."""
    carried = _carry(words, asked, read, UNCITED)
    if len(words) < 3 and not any(asked & found.words for found, _ in carried):
        return []
    return carried


def _once(found: Iterable[tuple[Found, float]]) -> list[tuple[Found, float]]:
    """Each source sentence once, with its best support, in the order first used."""
    best: dict[tuple[str, int], tuple[Found, float]] = {}
    for one, share in found:
        key = (one.span.document, one.span.start)
        if key not in best or best[key][1] < share:
            best[key] = (one, share)
    return list(best.values())


def _citation(found: Found, share: float, corpus: Corpus) -> Citation:
    document = corpus.document(found.span.document)
    page = document.page(found.span.start)
    return Citation(found.span, found.text, document.id, page, round(share, 4))
