"""Cuts text into chunks: runs of whole sentences, with exact offsets, from a stream.

Sentences are packed until the next one would not fit. A paragraph's end also ends a chunk that is nearly full, so
that paragraphs stay together, and a heading goes with what follows it. A single sentence over the limit (a table, a
line without punctuation, a script without spaces) is divided by `semchunk`, which prefers line breaks, then clause
marks, then spaces.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from ragctx.corpus.chunking import Chunking
from ragctx.corpus.sentences import stream

# Han, kana, hangul, and the wide forms: scripts whose words are not set apart by spaces, or are about two characters.
_WIDE = re.compile(r"[\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")
_LONGEST = 12
# A paragraph of at most so many words that does not end as a sentence does is a heading.
_HEADING = 12
_STOPS = ".!?;,…。！？"


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


def cut(blocks: Iterable[str], chunking: Chunking, pages: Sequence[int] = ()) -> Iterator[tuple[int, int]]:
    """(start, end) of every chunk of a text that arrives in pieces.

    Chunks do not overlap, are not blank, begin and end with a visible character, and together hold all visible text.
    None reaches over a page's end, so that a filter by page admits all of a page's text and no other.

    Args:
        blocks: the text, in order, cut anywhere.
        chunking: how large chunks may be.
        pages: character offset of each page; may grow while `blocks` are read, as long as it is ahead of them.

    Example:
        >>> text = "One two. Three four. Five."
        >>> [text[start:end] for start, end in cut([text], Chunking(words=4))]
        ['One two. Three four.', 'Five.']
    """
    start = end = weight = 0
    parted = False
    # Where a heading at the chunk's end begins, and the end and words of what stands before it.
    heading: tuple[int, int, int] | None = None
    settled = chunking.words * chunking.settle
    for offset, sentence in stream(blocks):
        visible = sentence.strip()
        if not visible:
            parted = parted or sentence.count("\n") > 1
            continue
        begin = offset + len(sentence) - len(sentence.lstrip())
        for first, last, size in _pieces(begin, visible, chunking.words, pages):
            turned = bool(pages) and bisect_right(pages, first) > bisect_right(pages, start)
            if weight and (turned or weight + size > chunking.words or (parted and weight >= settled)):
                if heading and parted and not turned and weight - heading[2] + size <= chunking.words:
                    yield start, heading[1]
                    start, weight = heading[0], weight - heading[2]
                else:
                    yield start, end
                    weight = 0
                heading = None
            titled = parted and size <= _HEADING and visible[-1] not in _STOPS
            heading = (heading if parted else None) or (first, end, weight) if titled and weight else None
            start, end, weight, parted = first if not weight else start, last, weight + size, False
    if weight:
        yield start, end


def _pieces(begin: int, sentence: str, limit: int, pages: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """(start, end, words) of a sentence, in several pieces where it turns the page or is over the limit."""
    turns = pages[bisect_right(pages, begin) : bisect_left(pages, begin + len(sentence))] if pages else ()
    for at, part in _parts(begin, sentence, [turn - begin for turn in turns]):
        size = words(part)
        if size <= limit:
            yield at, at + len(part), size
            continue
        for start, piece in _parts(at, part, _divide(part, limit)):
            yield start, start + len(piece), words(piece)


def _parts(begin: int, text: str, inner: Sequence[int]) -> Iterator[tuple[int, str]]:
    """(offset, visible text) of what lies between some inner borders."""
    for left, right in pairwise([0, *inner, len(text)]):
        piece = text[left:right]
        if visible := piece.strip():
            yield begin + left + len(piece) - len(piece.lstrip()), visible


def _divide(sentence: str, limit: int) -> list[int]:
    """Starts of all pieces but the first; each piece reaches to the next one's start, so that nothing is lost."""
    from semchunk import chunk

    _, offsets = chunk(sentence, limit, words, memoize=False, offsets=True)
    return [start for start, _ in offsets[1:]]
