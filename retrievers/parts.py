"""Parts and segments: what an index is cut into, so that a change rebuilds only what it touches.

A part is a run of chunks of one document, named by the document's content; a segment is the parts that were built
together into one group of files. Both are cut in a way that depends on the documents alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ragctx.corpus import Corpus

# At most this many chunks a segment: about 30 MB of text, and row numbers that fit 16 bits.
SEGMENT = 32_768
# Chunks read from the store at once.
BLOCK = 64


@dataclass(frozen=True, slots=True)
class Part:
    """Chunks `first` to `first + count` of the document whose text has this digest."""

    digest: str
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Placed:
    """A part, and the number its first chunk has in the corpus."""

    part: Part
    chunk: int

    @property
    def chunks(self) -> range:
        """Its chunks' numbers in the corpus."""
        return range(self.chunk, self.chunk + self.part.count)


def parts(digests: Sequence[str], document_index: np.ndarray, size: int = SEGMENT) -> list[Placed]:
    """Every part of a corpus, in order; a document of more than `size` chunks has several.

    Args:
        digests: content digest of each document.
        document_index: for every chunk the number of its document, not falling.
        size: the most chunks in a part.

    Example:
        >>> [(p.part.digest, p.part.first, p.part.count) for p in parts(["a", "b"], np.array([0, 1, 1, 1]), size=2)]
        [('a', 0, 1), ('b', 0, 2), ('b', 2, 1)]
    """
    borders = np.searchsorted(document_index, np.arange(len(digests) + 1))
    return [
        Placed(Part(digest, first, min(size, int(end - start) - first)), int(start) + first)
        for digest, start, end in zip(digests, borders, borders[1:], strict=False)
        for first in range(0, int(end - start), size)
    ]


def of_corpus(corpus: Corpus) -> list[Placed]:
    """Every part of a corpus, in order."""
    return parts([document.digest for document in corpus.documents], corpus.chunks.document_index)


def texts(corpus: Corpus, group: Iterable[Placed]) -> Iterator[str]:
    """The text of every chunk of parts, in order, read by the block: a read for each chunk would cost as much again."""
    chunks = corpus.chunks
    for one in group:
        text = corpus.documents[int(chunks.document_index[one.chunk])].text
        for first in range(one.chunk, one.chunk + one.part.count, BLOCK):
            here = slice(first, min(first + BLOCK, one.chunk + one.part.count))
            starts, ends = chunks.start[here].tolist(), chunks.end[here].tolist()
            block = text[starts[0] : ends[-1]]
            yield from (block[start - starts[0] : end - starts[0]] for start, end in zip(starts, ends, strict=True))


def pack(placed: Iterable[Placed], size: int = SEGMENT) -> Iterator[list[Placed]]:
    """Neighbouring parts in groups of at most `size` chunks.

    Example:
        >>> three = [Placed(Part("a", 0, 2), 0), Placed(Part("b", 0, 2), 2), Placed(Part("c", 0, 1), 4)]
        >>> [[p.part.digest for p in group] for group in pack(three, size=4)]
        [['a', 'b'], ['c']]
    """
    group: list[Placed] = []
    held = 0
    for one in placed:
        if group and held + one.part.count > size:
            yield group
            group, held = [], 0
        group.append(one)
        held += one.part.count
    if group:
        yield group


@dataclass(frozen=True, slots=True)
class Kept:
    """What of an older segment is still true.

    Attributes:
        parts: its parts that the corpus still has, with their places now.
        rows: for each row of the older segment whether it stays.
    """

    parts: tuple[Placed, ...]
    rows: np.ndarray

    @property
    def whole(self) -> bool:
        """Nothing of it went."""
        return bool(self.rows.all())


def reuse(wanted: Sequence[Placed], older: Sequence[Sequence[Part]]) -> tuple[list[Kept], list[Placed]]:
    """What each older segment still gives, and the parts that must be built.

    A document that stands in the corpus twice needs its parts twice: parts are handed out one by one.

    Example:
        >>> kept, missing = reuse([Placed(Part("b", 0, 1), 0), Placed(Part("c", 0, 1), 1)], [[Part("a", 0, 2), Part("b", 0, 1)]])
        >>> kept[0].rows.tolist(), [p.part.digest for p in missing]
        ([False, False, True], ['c'])
    """  # noqa: E501
    places: dict[Part, list[Placed]] = {}
    for one in reversed(wanted):
        places.setdefault(one.part, []).append(one)
    kept = [_keep(segment, places) for segment in older]
    missing = [one for waiting in places.values() for one in waiting]
    return kept, sorted(missing, key=lambda one: one.chunk)


def _keep(segment: Sequence[Part], places: dict[Part, list[Placed]]) -> Kept:
    held = [places[part].pop() if places.get(part) else None for part in segment]
    rows = [np.full(part.count, one is not None) for part, one in zip(segment, held, strict=True)]
    return Kept(tuple(one for one in held if one is not None), np.concatenate(rows))
