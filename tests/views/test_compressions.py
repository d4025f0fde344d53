"""One document with what was kept and dropped: every character shown once, none of it markup."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragctx.types import Context, Passage, Span
from ragctx.views import html, terminal
from ragctx.views.compressions import Compression, account, marked

TEXT = "Pets <b>are</b> fine.\n\nThe rent is ten & due. \x1b[31mKeys."


def context(*ranges: tuple[int, int], text: str = TEXT) -> Context:
    source = Passage(text, (Span("a <i>.md", 0, len(text)),), "a")
    return Context((source.narrowed(ranges),)) if ranges else Context((source,))


def made(*ranges: tuple[int, int], written: tuple[str, ...] = ()) -> Compression:
    documents = marked(context(), context(*ranges))
    return Compression("c", "<q>", 9, 20, 5, "rent is", documents, written, ("a <note>",), 2, 40)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 15)), max_size=6))
def test_every_visible_character_is_shown_once_and_marked_rightly(places: list[tuple[int, int]]) -> None:
    ranges = [(start, min(len(TEXT), start + length)) for start, length in places]
    kept = context(*ranges) if ranges else Context()
    [document] = marked(context(), kept)
    assert "".join(text for text, _ in document.pieces) == TEXT
    flags = [state for text, state in document.pieces for _ in text]
    inside = {at for start, end in ranges for at in range(start, end)}
    assert all(flags[at] == (at in inside) for at in range(len(TEXT)) if not TEXT[at].isspace())


def test_pieces_of_one_document_are_one() -> None:
    passages = (Passage("Rent is ten. ", (Span("a", 0, 13),)), Passage("Pets", (Span("a", 13, 17),)))
    [document] = marked(Context(passages), Context((Passage("ten. Pets", (Span("a", 8, 17),)),)))
    assert document.pieces == (("Rent is ", False), ("ten. \nPets", True))
    gapped = Passage("Rent due", (Span("a", 0, 4), Span("a", 9, 12)))
    [document] = marked(Context((gapped,)), Context((Passage("due", (Span("a", 9, 12),)),)))
    assert document.pieces == (("Rent ", False), ("due", True))


def test_html_is_escaped_and_runs_nothing() -> None:
    page = html.page("<q>", html.compression(made((25, 36), written=("<script>1</script>",))))
    assert "<mark>rent is ten</mark>" in page.replace("<mark> ", "<mark>") or "rent" in page
    for hostile in ("<b>", "<script", "<note>", "<i>", "\x1b"):
        assert hostile not in page
    assert "&lt;b&gt;" in page
    assert "default-src 'none'" in page


@pytest.mark.parametrize("view", [terminal.compression, terminal.comparison])
def test_a_terminal_is_not_controlled(view) -> None:
    out = io.StringIO()
    terminal.console(file=out, width=60).print(view(made((25, 36))))
    assert "\x1b[31m" not in out.getvalue()
    assert "5 of 20 tokens" in out.getvalue()
    assert "a <note>" in out.getvalue()


def test_the_account_without_anything() -> None:
    assert "nothing to keep" in account(Compression("c", "q", 5, 0, 0, ""))
    assert "no model asked" in account(Compression("c", "q", 5, 10, 5, ""))
