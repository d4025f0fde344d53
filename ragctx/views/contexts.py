"""Views of a context: its passages as a model reads them, and in their place what was left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ragctx.types import Context, Dropped, Passage, Span
from ragctx.views import answers
from ragctx.views.anchors import Anchors
from ragctx.views.compressions import marked, marks
from ragctx.views.numbers import count, share, short, whole
from ragctx.views.page import cell, e, folded, notes, pairs, table, wrap
from ragctx.views.text import one_line

PASSAGES_SHOWN = 50
DROPPED_SHOWN = 50
STRUCK = 1200
NAMED = 120


def html(value: Context) -> str:
    """Every passage with its source and score, gaps where text between its spans was left out, and the list of those.

    A context holds the places of what was left out and not its text; `compared` shows both.
    """
    here = Anchors.fresh("".join(passage.text[:80] for passage in value.passages))
    shown = value.passages[:PASSAGES_SHOWN]
    more = len(value.passages) - len(shown)
    parts = [f"<b>{e(summary(value))}</b>"]
    parts += [_passage(passage, number, value.dropped, here) for number, passage in enumerate(shown, 1)]
    parts += [f'<div class="q">and {e(count(more, "more passage"))}</div>'] if more else []
    return wrap("".join([*parts, notes(value.notes), _left(value, here), _signals(value)]))


def compared(source: Context, kept: Context) -> str:
    """The source whole: what was kept set off, what was dropped struck through; what was written anew below."""
    before = sum(len(passage.text) for passage in source.passages)
    after = sum(len(passage.text) for passage in kept.passages)
    part = share(after / before) if before else "nothing to keep"
    parts = [f"<b>{e(whole(after))} of {e(count(before, 'character'))} kept ({e(part)})</b>"]
    parts.append('<div class="q"><mark>kept</mark> <s>dropped</s></div>')
    parts += [
        f'<h2>{e(one.name)}</h2><div class="marked">{marks(one.pieces, STRUCK)}</div>' for one in marked(source, kept)
    ]
    parts += [
        f'<blockquote>{e(passage.text)}<div class="q">{e(_told(passage))}</div></blockquote>'
        for passage in kept.passages
        if passage.derived
    ]
    return wrap("".join([*parts, notes(kept.notes), *([_reasons(kept)] if kept.dropped else [])]))


def summary(value: Context) -> str:
    """One line: how much of how many documents, and how much was left out.

    Example:
        >>> summary(Context((Passage("Rent is due.", (Span("a", 0, 12),), "a"),)))
        '1 passage of 1 document, 12 characters'
    """
    documents = {span.document for span in value.spans}
    characters = sum(len(passage.text) for passage in value.passages)
    held = f"{count(len(value.passages), 'passage')} of {count(len(documents), 'document')}"
    out = f", {count(len(value.dropped), 'span')} left out" if value.dropped else ""
    return f"{held}, {count(characters, 'character')}{out}"


def _passage(value: Passage, number: int, dropped: Sequence[Dropped], here: Anchors) -> str:
    head = f"<h2{here.id(f'p{number}')}>[{number}] {e(value.source or '(no source)')}</h2>"
    return f'{head}<div class="q">{e(_told(value))}</div><div class="marked">{"".join(_body(value, dropped))}</div>'


def _told(value: Passage) -> str:
    parts = [f"page {value.page}"] if value.page else []
    if value.derived:
        parts.append(f"written from {count(len(value.spans), 'place')}")
    elif value.spans:
        parts.append(f"characters {whole(value.spans[0].start)} to {whole(value.spans[-1].end)}")
    parts += [f"score {short(value.score)}"] if value.score is not None else []
    return ", ".join(parts)


def _body(value: Passage, dropped: Sequence[Dropped]) -> Iterator[str]:
    """The text, with a mark in every gap between its spans that says how much is left out there, and why."""
    if value.derived or len(value.spans) < 2:
        yield e(value.text)
        return
    at, before = 0, None
    for span in value.spans:
        if before is not None and (before.document, before.end) < (span.document, span.start):
            at += 1  # the blank that stands for the gap
            yield _gap(Span(span.document, before.end, span.start), dropped)
        yield e(value.text[at : at + len(span)])
        at, before = at + len(span), span
    yield e(value.text[at:])


def _gap(gap: Span, dropped: Sequence[Dropped]) -> str:
    why = dict.fromkeys(one.reason for one in dropped if one.span.overlap(gap))
    said = "".join(f": {one_line(reason, NAMED)}" for reason in list(why)[:1])
    return f' <span class="gap">⋯ {e(count(len(gap), "character"))}{e(said)} ⋯</span> '


def _left(value: Context, here: Anchors) -> str:
    """What was left out; a row leads to a passage of the same document, where there is one."""
    if not value.dropped:
        return ""
    places = {span.document: n for n, one in reversed([*enumerate(value.passages, 1)]) for span in one.spans}
    rows = [_row(one, places.get(one.span.document, 0), here) for one in value.dropped[:DROPPED_SHOWN]]
    more = len(value.dropped) - len(rows)
    tail = f'<div class="q">and {e(whole(more))} more</div>' if more else ""
    head = f'<div class="q">{e(answers.left(value.dropped))}</div>'
    return folded("what was left out", head + table(["document", "characters", "reason"], rows) + tail)


def _row(one: Dropped, passage: int, here: Anchors) -> tuple[str, str, str]:
    name = e(one_line(one.span.document, NAMED))
    linked = here.to(f"p{passage}", name) if 0 < passage <= PASSAGES_SHOWN else name
    return linked, f"{one.span.start}-{one.span.end}", cell(one.reason)


def _reasons(value: Context) -> str:
    return f'<div class="q">{e(answers.left(value.dropped))}</div>'


def _signals(value: Context) -> str:
    found = ((name, short(number)) for name, number in value.signals.items())
    return folded("signals", pairs(found)) if value.signals else ""
