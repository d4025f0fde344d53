"""Documents, spans of them, and contexts made of spans.

Everything a model reads is a `Passage`: text that is cut from documents (`derived=False`) or text that was written
from them (`derived=True`), and in both cases the spans it rests on. Coverage, citations and highlighting follow.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

Scalar = str | int | float | bool | None


class Text(Protocol):
    """Text that can be measured and sliced by characters; a `str`, or a lazy view of a store on disk."""

    def __len__(self) -> int:
        """Length in characters."""
        ...

    def __getitem__(self, key: slice, /) -> str:
        """The characters of one slice, loaded when asked for."""
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """One source document and where it came from.

    Attributes:
        id: unique in its corpus and readable: a path relative to the folder given, `file.csv#3`, or a title.
        text: the extracted text; `text[start:end]` is exact for every span.
        source: the path or address shown to people.
        pages: character offset at which each page begins, first page first; empty when there are no pages.
        metadata: what the source said about itself; `Where` filters on it.
        digest: content hash of the text; the same text has the same digest whatever its id.

    Example:
        >>> Document("a.txt", "Terms. Fees.", pages=(0, 7)).page(8)
        2
    """

    id: str
    text: Text
    source: str = ""
    title: str = ""
    pages: tuple[int, ...] = ()
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    digest: str = ""

    def page(self, offset: int) -> int | None:
        """The page (from 1) that holds the character at `offset`; None where the document has no pages."""
        return bisect.bisect_right(self.pages, offset) or 1 if self.pages else None


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """`document.text[start:end]`, always.

    Example:
        >>> Span("a.txt", 0, 10).overlap(Span("a.txt", 7, 12))
        3
    """

    document: str
    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end:
            raise ValueError(f"a span needs 0 <= start <= end, got {self.start}..{self.end}")

    def __len__(self) -> int:
        return self.end - self.start

    def overlap(self, other: Span) -> int:
        """How many characters both spans hold."""
        same = self.document == other.document
        return max(0, min(self.end, other.end) - max(self.start, other.start)) if same else 0


@dataclass(frozen=True, slots=True)
class Passage:
    """One piece of a context, with the spans it rests on.

    A passage that is not derived reads exactly as its spans do, joined without a gap where they touch and by one
    space where they do not.

    Attributes:
        text: what the model reads.
        spans: sorted spans of the sources, one document a passage unless derived.
        source: the document's id, which people and models are shown: it reads as a file name and names no folder.
        page: page of the first span, from 1, where known.
        score: the retriever's score, larger is better; comparable within one retrieval only.
        derived: the text was written from the spans (a summary), not cut from them.
    """

    text: str
    spans: tuple[Span, ...]
    source: str = ""
    page: int | None = None
    score: float | None = None
    derived: bool = False

    @classmethod
    def cut(cls, document: Document, spans: Iterable[Span], *, score: float | None = None) -> Passage:
        """The passage that reads as `spans` of `document` do.

        Example:
            >>> note = Document("n.txt", "Rent is due. Pets are fine. Keys are two.")
            >>> Passage.cut(note, [Span("n.txt", 0, 12), Span("n.txt", 28, 41)]).text
            'Rent is due. Keys are two.'
        """
        ordered = tuple(sorted(spans))
        pieces: list[str] = []
        for before, span in zip((None, *ordered), ordered, strict=False):
            if before is not None and before.end < span.start:
                pieces.append(" ")
            pieces.append(document.text[span.start : span.end])
        page = document.page(ordered[0].start) if ordered else None
        return cls("".join(pieces), ordered, document.id, page, score)

    def narrowed(self, ranges: Iterable[tuple[int, int]]) -> Passage:
        """The passage cut down to some ranges of its text, with exactly the spans that they stand for.

        Args:
            ranges: characters [start, end) of `text`, in any order; blanks between two spans belong to neither.
                A derived passage keeps all its spans, since nobody knows which of them a range was written from.

        Returns:
            A passage that begins later has no page: which one it begins on only the document knows.

        Example:
            >>> note = Document("n.txt", "Rent is due. Pets are fine. Keys are two.")
            >>> whole = Passage.cut(note, [Span("n.txt", 0, 12), Span("n.txt", 28, 41)])
            >>> part = whole.narrowed([(13, 21)])
            >>> part.text, part.spans
            ('Keys are', (Span(document='n.txt', start=28, end=36),))
        """
        kept = _merged(ranges)
        if self.derived:
            return replace(self, text=" ".join(self.text[start:end] for start, end in kept))
        spans, pieces, at = [], [], 0
        for before, span in zip((None, *self.spans), self.spans, strict=False):
            at += before is not None and before.end < span.start  # the blank that stands for the gap
            for start, end in kept:
                first, last = max(start, at), min(end, at + len(span))
                if first < last:
                    spans.append(Span(span.document, span.start + first - at, span.start + last - at))
                    pieces.append(self.text[first:last])
            at += len(span)
        glued = [p if not i or spans[i - 1].end == spans[i].start else f" {p}" for i, p in enumerate(pieces)]
        begins = bool(spans) and (spans[0].document, spans[0].start) == (self.spans[0].document, self.spans[0].start)
        return replace(self, text="".join(glued), spans=tuple(spans), page=self.page if begins else None)


def _merged(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged


@dataclass(frozen=True, slots=True)
class Dropped:
    """A span that was considered and not read, with the reason."""

    span: Span
    reason: str


@dataclass(frozen=True, slots=True)
class Context:
    """An ordered list of passages, and everything that was considered but left out.

    Attributes:
        passages: in the order the model reads them.
        dropped: spans a retriever or compressor had in hand and left out, with reasons.
        notes: fall-backs a person should know of, e.g. "hybrid is BM25 alone: no encoder".
        signals: numbers a router may use (retrieval score shape, "all_pruned"); names are stable.
    """

    passages: tuple[Passage, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    notes: tuple[str, ...] = ()
    signals: Mapping[str, float] = field(default_factory=dict)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Every span of every passage, in reading order."""
        return tuple(span for passage in self.passages for span in passage.spans)

    def with_passages(self, passages: Iterable[Passage]) -> Context:
        """The same context with other passages: notes, signals and what was dropped stay."""
        return replace(self, passages=tuple(passages))

    def _repr_html_(self) -> str:
        from importlib import import_module

        # By name: the view stands on a higher floor, and only a notebook ever asks for it.
        html: str = import_module("ragctx.views.html").context(self)
        return html


def characters_read(spans: Iterable[Span]) -> dict[str, int]:
    """Characters covered by the union of spans, per document.

    Example:
        >>> characters_read([Span("a", 0, 10), Span("a", 5, 12), Span("b", 3, 4)])
        {'a': 12, 'b': 1}
    """
    read: dict[str, int] = {}
    reached: dict[str, int] = {}
    for span in sorted(spans):
        start = max(span.start, reached.get(span.document, 0))
        read[span.document] = read.get(span.document, 0) + max(0, span.end - start)
        reached[span.document] = max(reached.get(span.document, 0), span.end)
    return read
