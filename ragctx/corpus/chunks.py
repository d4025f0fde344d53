"""Cuts text into chunks: runs of whole sentences, with exact offsets, from a stream.

Sentences are packed until the next one would not fit. A paragraph's end also ends a chunk that is nearly full, so
that paragraphs stay together. A single sentence over the limit (a table, a line without punctuation, a script without
spaces) is divided by `semchunk`, which prefers line breaks, then clause marks, then spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from ragctx.corpus.chunking import Chunking
from ragctx.corpus.sentences import stream

# Han, kana, hangul, and the wide forms: scripts whose words are not set apart by spaces, or are about two characters.
_WIDE = re.compile(r"[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")
_LONGEST = 12


def words(text: str) -> int:
    """Words of a text, for sizing chunks.

    A wide character counts two thirds of a word, and a stretch without spaces one word for each twelve characters, so
    that neither Chinese text nor a line of base64 passes for a single word.

    Example:
        >>> words("Notice is three months."), words("通知期间为三个月"), words("x" * 120)
        (4, 6, 10)
    """
    parts = len(text.split())
    if text.isascii():
        return parts if parts * _LONGEST >= len(text) else _crowded(text)
    wide = len(_WIDE.findall(text))
    return parts if not wide and parts * _LONGEST >= len(text) else _crowded(_WIDE.sub(" ", text)) - (-wide * 2 // 3)


def _crowded(text: str) -> int:
    return sum(-(-len(part) // _LONGEST) for part in text.split())


def cut(blocks: Iterable[str], chunking: Chunking) -> Iterator[tuple[int, int]]:
    """(start, end) of every chunk of a text that arrives in pieces.

    Chunks do not overlap, are not blank, begin and end with a visible character, and together hold all visible text.

    Example:
        >>> text = "One two. Three four. Five."
        >>> [text[start:end] for start, end in cut([text], Chunking(words=4))]
        ['One two. Three four.', 'Five.']
    """
    start = end = weight = 0
    parted = False
    settled = chunking.words * chunking.settle
    for offset, sentence in stream(blocks):
        visible = sentence.strip()
        if not visible:
            parted = parted or sentence.count("\n") > 1
            continue
        begin = offset + len(sentence) - len(sentence.lstrip())
        parted = parted or "\n\n" in sentence[: begin - offset]
        for first, last, size in _pieces(begin, visible, chunking.words):
            if weight and (weight + size > chunking.words or (parted and weight >= settled)):
                yield start, end
                weight = 0
            start, end, weight, parted = first if not weight else start, last, weight + size, False
        parted = sentence.endswith("\n\n")
    if weight:
        yield start, end


def _pieces(begin: int, sentence: str, limit: int) -> Iterator[tuple[int, int, int]]:
    """(start, end, words) of a sentence, in several pieces where it is over the limit."""
    size = words(sentence)
    if size <= limit:
        yield begin, begin + len(sentence), size
        return
    borders = [*_divide(sentence, limit), len(sentence)]
    for left, right in pairwise(borders):
        piece = sentence[left:right]
        lead = len(piece) - len(piece.lstrip())
        if visible := piece.strip():
            yield begin + left + lead, begin + left + lead + len(visible), words(visible)


def _divide(sentence: str, limit: int) -> list[int]:
    """Starts of the pieces. Only starts are taken from semchunk: a piece reaches to the next, so nothing is lost."""
    from semchunk import chunk

    _, offsets = chunk(sentence, limit, words, memoize=False, offsets=True)
    return [0, *(start for start, _ in offsets[1:])]
