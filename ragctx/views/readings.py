"""An answer in its documents: cited sentences set off in place, what was left unread struck through beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ragctx.corpus import Corpus
from ragctx.errors import UnknownName
from ragctx.types import Answer, Document
from ragctx.views import answers
from ragctx.views.anchors import Anchors
from ragctx.views.numbers import count, share, whole
from ragctx.views.page import e, folded, notes, wrap
from ragctx.views.text import whole_words

AROUND = 240
DOCUMENTS_SHOWN = 12
STRETCHES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of a document: of a citation, by its number from 1, or left unread (0), and why."""

    start: int
    end: int
    number: int = 0
    reason: str = ""


def html(value: Answer, corpus: Corpus) -> str:
    """The answer with links to the sentences it cites, and those where they stand.

    Documents that are cited are open, others of which something was left unread are folded. Only the surroundings of
    what is marked are shown; how much lies between is said in its place.

    Args:
        value: an answer over this corpus.
        corpus: what was asked.
    """
    here = Anchors.fresh(value.text + value.question)
    found = _marks(value)
    cited = [name for name, of in found.items() if any(mark.number for mark in of)]
    others = [name for name in found if name not in cited]
    parts = [f'<div class="text{"" if value.answerable else " warn"}"{here.id("answer")}>{e(value.text)}']
    parts += [f"<sup>{here.to(f'c{number}', f'[{number}]')}</sup>" for number, _ in enumerate(value.citations, 1)]
    parts += [f'</div><div class="q">{e(answers.account(value))}</div>']
    parts.append('<div class="q"><mark>cited</mark> <s>considered and left unread</s></div>' if found else "")
    parts += [f"<h2>{e(name)}</h2>{_within(name, found[name], value, corpus, here)}" for name in cited]
    parts += [folded(name, _within(name, found[name], value, corpus, here)) for name in others[:DOCUMENTS_SHOWN]]
    more = len(others) - DOCUMENTS_SHOWN
    parts += [f'<div class="q">and {e(count(more, "more document"))} with text left unread</div>'] if more > 0 else []
    return wrap("".join([*parts, notes(value.notes)]))


def _marks(value: Answer) -> dict[str, list[Mark]]:
    """Marks by document, those of citations first: text that is cited is never shown as unread."""
    found: dict[str, list[Mark]] = {}
    for number, citation in enumerate(value.citations, 1):
        span = citation.span
        found.setdefault(span.document, []).append(Mark(span.start, span.end, number))
    for dropped in value.dropped:
        span = dropped.span
        found.setdefault(span.document, []).append(Mark(span.start, span.end, 0, dropped.reason))
    return found


def _within(name: str, marks: Sequence[Mark], value: Answer, corpus: Corpus, here: Anchors) -> str:
    try:
        document = corpus.document(name)
    except UnknownName:
        return notes([f"{name} is not among these documents: give the corpus that was asked"])
    read = next((one for one in value.coverage if one.document == name), None)
    head = f'<div class="q">{e(share(read.share))} of {e(whole(read.length))} characters read</div>' if read else ""
    return f'{head}<div class="marked">{"".join(_excerpts(document, _flat(marks), here))}</div>'


def _flat(marks: Sequence[Mark]) -> list[Mark]:
    """The marks in order, without overlaps: a citation wins over what was left unread, the first over a later one."""
    taken: list[Mark] = []
    for mark in marks:
        pieces = [(mark.start, mark.end)]
        for other in taken:
            pieces = [left for piece in pieces for left in _without(piece, other)]
        taken += [Mark(start, end, mark.number, mark.reason) for start, end in pieces]
    return sorted(taken, key=lambda mark: mark.start)


def _without(piece: tuple[int, int], other: Mark) -> Iterator[tuple[int, int]]:
    start, end = piece
    for first, last in ((start, min(end, other.start)), (max(start, other.end), end)):
        if first < last:
            yield first, last


def _excerpts(document: Document, marks: Sequence[Mark], here: Anchors) -> Iterator[str]:
    """What is marked and some text around it, in the document's order."""
    cited = [mark for mark in marks if mark.number]
    near = sorted({*cited, *[mark for mark in marks if not mark.number][:STRETCHES_SHOWN]}, key=lambda m: m.start)
    at, named = 0, set[int]()
    for place, mark in enumerate(near):
        yield from _before(document, at, mark.start)
        text = e(document.text[mark.start : mark.end])
        if mark.number:
            first = here.id(f"c{mark.number}") if mark.number not in named else ""
            named.add(mark.number)
            yield f"<mark{first}>{text}</mark><sup>{here.to('answer', f'[{mark.number}]')}</sup>"
        else:
            yield f'<s title="{e(mark.reason)}">{text}</s>'
        at = mark.end
        if place == len(near) - 1:
            yield from _after(document, at)


def _before(document: Document, at: int, start: int) -> Iterator[str]:
    """Text between two marks; where there is much of it, its ends."""
    if start - at <= 2 * AROUND:
        yield e(document.text[at:start])
        return
    behind = whole_words(document.text[at : at + AROUND]) if at else ""
    ahead = whole_words(document.text[start - AROUND : start], last=True)
    yield e(behind)
    yield _gap(at + len(behind), start - len(ahead))
    yield f"\n{e(ahead)}"


def _after(document: Document, at: int) -> Iterator[str]:
    end = len(document.text)
    if end - at <= AROUND:
        yield e(document.text[at:end])
        return
    behind = whole_words(document.text[at : at + AROUND])
    yield e(behind)
    yield _gap(at + len(behind), end)


def _gap(start: int, end: int) -> str:
    return f' <span class="gap">⋯ {e(count(end - start, "character"))} ⋯</span> '
