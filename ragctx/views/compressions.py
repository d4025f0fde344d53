"""Views of one compression: the documents with what was kept of them and what was dropped."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from rich.console import Group, RenderableType
from rich.text import Text

from ragctx.types import Context, Passage, Span
from ragctx.views.numbers import count, share, whole
from ragctx.views.page import e, notes, wrap
from ragctx.views.text import DIM, STRONG, hanging, whole_words
from ragctx.views.text import notes as told

Piece = tuple[str, bool]
_DROPPED = "dim strike"


@dataclass(frozen=True, slots=True)
class Marked:
    """A document in pieces: (text, whether it was kept), in order; together they are what was compressed of it."""

    name: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Compression:
    """What a compressor made of some documents.

    Attributes:
        compressor: its name. question: what was asked. budget: tokens that were allowed.
        before, after: tokens of the text. text: what is left, as a reader gets it.
        documents: what was compressed, marked. written: texts that were written from it, not cut.
        calls, read: requests that models answered, and tokens that they read for it.
    """

    compressor: str
    question: str
    budget: int
    before: int
    after: int
    text: str
    documents: tuple[Marked, ...] = ()
    written: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    calls: int = 0
    read: int = 0


def marked(source: Context, kept: Context) -> tuple[Marked, ...]:
    """The documents of a source, in its order, with what was kept of them.

    Blanks count as what stands before them, so that a line break between two kept words is not shown as dropped.

    Args:
        source: passages cut from documents.
        kept: what a compressor made of them.

    Example:
        >>> before = Context((Passage("Pets are fine. Rent is due.", (Span("a", 0, 27),), "a"),))
        >>> after = Context((Passage("Rent due.", (Span("a", 15, 19), Span("a", 23, 27)), "a"),))
        >>> marked(before, after)[0].pieces
        (('Pets are fine. ', False), ('Rent ', True), ('is ', False), ('due.', True))
    """
    places: dict[str, list[Span]] = {}
    for span in sorted(span for passage in kept.passages if not passage.derived for span in passage.spans):
        places.setdefault(span.document, []).append(span)
    pieces: dict[str, list[Piece]] = {}
    for passage in source.passages:
        if passage.spans:
            name = passage.spans[0].document
            pieces.setdefault(name, []).extend(_pieces(passage, places.get(name, ())))
    return tuple(Marked(name, tuple(_merged(found))) for name, found in pieces.items())


def _pieces(passage: Passage, kept: Sequence[Span]) -> Iterator[Piece]:
    starts = [span.start for span in kept]
    at, before = 0, None
    for span in passage.spans:
        if before is not None and before.end < span.start:
            yield passage.text[at : at + 1], False
            at += 1
        text = passage.text[at : at + len(span)]
        cut = span.start
        for one in kept[max(0, bisect_right(starts, span.start) - 1) :]:
            first, last = max(one.start, cut), min(one.end, span.end)
            if one.start >= span.end:
                break
            if first < last:
                yield text[cut - span.start : first - span.start], False
                yield text[first - span.start : last - span.start], True
                cut = last
        yield text[cut - span.start :], False
        at, before = at + len(span), span
    yield "\n", False


def _merged(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Neighbours of one kind as one piece, blanks with what stands before them; no blanks at the end."""
    state, judged = False, list[Piece]()
    for text, kept in pieces:
        if text:
            lead = len(text) - len(text.lstrip())
            judged.append((text[:lead], state))
            if text[lead:]:
                state = kept
                judged.append((text[lead:], state))
    runs = [("".join(text for text, _ in run), kept) for kept, run in groupby(judged, key=lambda piece: piece[1])]
    visible = [(text, kept) for text, kept in runs if text]
    if visible:
        visible[-1] = (visible[-1][0].rstrip(), visible[-1][1])
    yield from visible


def account(value: Compression) -> str:
    """One line: the tokens before and after, and what it took.

    Example:
        >>> account(Compression("longllmlingua", "When?", 500, before=2000, after=498, text="", calls=12, read=4100))
        'longllmlingua: 498 of 2,000 tokens kept (25 %, budget 500), models read 4,100 tokens in 12 calls'
    """
    part = share(value.after / value.before) if value.before else "nothing to keep"
    took = (
        f"models read {count(value.read, 'token')} in {count(value.calls, 'call')}" if value.calls else "no model asked"
    )
    head = f"{whole(value.after)} of {count(value.before, 'token')} kept ({part}, budget {whole(value.budget)})"
    return f"{value.compressor}: {head}, {took}"


def html(value: Compression) -> str:
    """The documents with what was kept set off and what was dropped struck through."""
    parts = [f'<div class="q">{e(account(value))}</div>']
    parts.append("<div><mark>kept</mark> <s>dropped</s></div>")
    parts += [f'<h2>{e(one.name)}</h2><div class="marked">{marks(one.pieces)}</div>' for one in value.documents]
    parts += [f"<blockquote>{e(text)}</blockquote>" for text in value.written]
    return wrap("".join([*parts, notes(value.notes)]))


def marks(pieces: Iterable[Piece], most: int | None = None) -> str:
    """Pieces as HTML: kept ones set off, dropped ones struck through; those longer than `most` with a gap in them."""
    return "".join(f"<mark>{e(text)}</mark>" if kept else _struck(text, most) for text, kept in pieces)


def _struck(text: str, most: int | None) -> str:
    if most is None or len(text) <= most:
        return f"<s>{e(text)}</s>"
    first, last = whole_words(text[: most // 2]), whole_words(text[-most // 2 :], last=True)
    between = count(len(text) - len(first) - len(last), "character")
    return f'<s>{e(first)}</s> <span class="gap">⋯ {e(between)} dropped ⋯</span> <s>{e(last)}</s>'


def compression(value: Compression) -> RenderableType:
    """What is left, and below it the counts."""
    return Group(Text(value.text), Text(""), hanging(account(value), DIM), *told(value.notes))


def comparison(value: Compression) -> RenderableType:
    """The documents whole, what was dropped struck through, and below them the counts."""
    parts: list[RenderableType] = []
    for one in value.documents:
        body = Text()
        for text, kept in one.pieces:
            body.append(text, "" if kept else _DROPPED)
        parts += [Text(one.name, STRONG), body, Text("")]
    parts += [part for text in value.written for part in (Text(text), Text(""))]
    return Group(*parts, hanging(account(value), DIM), *told(value.notes))
