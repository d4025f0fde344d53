"""HTML views render everything, escaped, without a script, and stand alone as pages."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from ragctx.corpus import Corpus
from ragctx.types import Document
from ragctx.views import html

TEXT = {"style", "div", "span", "i", "b", "p", "br", "blockquote", "details", "summary"}
ALLOWED = TEXT | {"table", "thead", "tbody", "tr", "th", "td"}
PAGE = ALLOWED | {"html", "head", "meta", "title", "body", "h1"}
EMPTY = {"meta", "br"}


class Checked(HTMLParser):
    """Every tag is one of ours, closed in order, and carries no handler or address."""

    def __init__(self, allowed):
        super().__init__()
        self.allowed, self.open, self.texts = allowed, [], []

    def handle_starttag(self, tag, attrs):
        assert tag in self.allowed, tag
        for name, value in attrs:
            assert not name.startswith("on"), name
            assert name not in {"href", "src"}
            assert "url(" not in (value or "")
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)


def checked(text: str, allowed=frozenset(ALLOWED)) -> str:
    parser = Checked(allowed)
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return " ".join(parser.texts)


@pytest.fixture
def everything(answers, plans, statuses):
    documents = (Document("<b>x</b>", "Some text."), Document("y", "More.", pages=(0, 2)))
    return [
        *(html.answer(value) for value in answers.values()),
        *(html.plan(value) for value in plans.values()),
        *(html.status(value) for value in statuses.values()),
        html.corpus(Corpus.over(*documents)),
    ]


def test_every_view_is_well_formed_and_runs_nothing(everything):
    for text in everything:
        checked(text)
        checked(html.page("<script>title</script>", text), PAGE)


def test_hostile_text_is_shown_as_text(answers, plans):
    for text in (html.answer(answers["hostile"]), html.plan(plans["hostile"])):
        assert "<script>" not in text
        assert not {"\x1b", "\u202e"} & set(text)
        assert "<script>alert(1)</script> &" in checked(text)
        assert "[red]x[/red]" in checked(text)


def test_an_answer_has_its_numbers(answers):
    text = checked(html.answer(answers["whole"]))
    for part in ("Three months.", "page 3", "4,080 tokens", "50 %", "0.80", "chosen", "0.00042", "2 citations dropped"):
        assert part in text


def test_objects_show_themselves(answers, plans, statuses):
    assert answers["whole"]._repr_html_() == html.answer(answers["whole"])
    assert plans["one"]._repr_html_() == html.plan(plans["one"])
    assert statuses["half"]._repr_html_() == html.status(statuses["half"])


def test_a_page_asks_for_nothing(answers):
    text = html.page("An answer", html.answer(answers["whole"]))
    assert "default-src 'none'" in text
    assert 'name="color-scheme" content="light dark"' in text
    assert "http://" not in text
    assert "https://" not in text
