"""HTML views render everything, escaped, without a script, and stand alone as pages."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

import pytest

from ragctx.corpus import Corpus
from ragctx.evaluation import Evaluation, ScoredRow
from ragctx.types import Answer, Citation, Context, Coverage, Document, Dropped, Passage, Span
from ragctx.views import html
from ragctx.views.notebook import compared, reading

TEXT = {"style", "div", "span", "i", "b", "p", "br", "wbr", "blockquote", "details", "summary"}
TEXT |= {"sup", "a", "h2", "mark", "s"}
ALLOWED = TEXT | {"table", "thead", "tbody", "tr", "th", "td"}
PAGE = ALLOWED | {"html", "head", "meta", "title", "body", "h1"}
EMPTY = {"meta", "br", "wbr"}


class Checked(HTMLParser):
    """Every tag is one of ours, closed in order, and carries no handler; every link leads to one place of the view."""

    def __init__(self, allowed):
        super().__init__()
        self.allowed, self.open, self.texts, self.ids, self.links = allowed, [], [], [], []

    def handle_starttag(self, tag, attrs):
        assert tag in self.allowed, tag
        for name, value in attrs:
            assert not name.startswith("on"), name
            assert name != "src"
            assert name != "href" or value.startswith("#ragctx-")
            self.links += [value[1:]] if name == "href" else []
            self.ids += [value] if name == "id" else []
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
    assert len(parser.ids) == len(set(parser.ids))
    assert set(parser.links) <= set(parser.ids)
    return " ".join(parser.texts)


def hostile_context(text: str) -> Context:
    whole = Passage(text, (Span(text, 0, len(text)),), text, 2, 0.5)
    cut = whole.narrowed([(0, 4), (20, 30)])
    written = Passage(text, (Span("y", 0, 3),), "y", derived=True)
    gone = (Dropped(Span(text, 4, 20), text), Dropped(Span("elsewhere", 4, 20), "pruned"))
    return Context((cut, written), gone, (text,), {text: 0.5})


@pytest.fixture
def everything(answers, plans, statuses, hostile):
    documents = (Document("<b>x</b>", "Some text."), Document("y", "More.", pages=(0, 2)))
    return [
        *(html.answer(value) for value in answers.values()),
        *(html.plan(value) for value in plans.values()),
        *(html.status(value) for value in statuses.values()),
        html.corpus(Corpus.over(*documents)),
        html.context(hostile_context(hostile)),
        compared(hostile_context(hostile), Context()).html,
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


def unnumbered(text: str) -> str:
    return re.sub(r"ragctx-[0-9a-f]{8}-\d+", "ragctx-", text)


def test_objects_show_themselves(answers, plans, statuses):
    assert unnumbered(answers["whole"]._repr_html_()) == unnumbered(html.answer(answers["whole"]))
    corpus, context = Corpus.of("Some text."), hostile_context("rent " * 8)
    assert corpus._repr_html_() == html.corpus(corpus)
    assert unnumbered(context._repr_html_()) == unnumbered(html.context(context))
    assert plans["one"]._repr_html_() == html.plan(plans["one"])
    assert statuses["half"]._repr_html_() == html.status(statuses["half"])


def test_a_page_asks_for_nothing(answers):
    text = html.page("An answer", html.answer(answers["whole"]))
    assert "default-src 'none'" in text
    assert 'name="color-scheme" content="light dark"' in text
    assert "http://" not in text
    assert "https://" not in text


def test_no_two_views_of_a_notebook_share_a_place(answers):
    texts = [answers["whole"]._repr_html_() for _ in range(2)]
    one, two = ({*re.findall(r' id="([^"]+)"', text)} for text in texts)
    assert one
    assert not one & two


def test_a_citation_leads_to_its_sentence_and_back(answers):
    text = html.answer(answers["whole"])
    [prefix] = {*re.findall(r'id="(ragctx-\w+-\d+)-answer"', text)}
    for name in ("c1", "d0", "answer"):
        assert f'href="#{prefix}-{name}"' in text
        assert f'id="{prefix}-{name}"' in text


def test_a_context_says_what_is_missing_where_it_is_missing():
    text = checked(html.context(hostile_context("The rent is ten crowns and due in May.")))
    assert "⋯ 16 characters: The rent is ten" in text
    for part in ("2 passages of 2 documents", "2 spans left out", "page 2", "score 0.5", "written from 1 place"):
        assert part in text
    checked(html.context(Context()))


LEASE = "Pets are welcome. " * 60 + "The <b>notice</b> is three months. " + "Keys are two. " * 60
AT = LEASE.index("The <b>")


def cited(start: int, end: int, *dropped: tuple[int, int]) -> Answer:
    return Answer(
        "Three months.",
        citations=(Citation(Span("lease", start, end), LEASE[start:end], "lease"),),
        coverage=(Coverage("lease", end - start, len(LEASE)),),
        dropped=tuple(Dropped(Span("lease", *one), 'pruned "x"') for one in dropped),
    )


def test_an_answer_is_shown_in_its_document():
    corpus = Corpus.of({"lease": LEASE, "other": "Nothing."})
    shown = reading(cited(AT, AT + 34, (AT - 18, AT + 10), (AT + 34, AT + 48)), corpus).html
    assert "<mark" in shown
    assert "The &lt;b&gt;notice&lt;/b&gt; is three months.</mark>" in shown
    assert re.findall(r"<s title=[^>]*>([^<]*)</s>", shown) == ["Pets are welcome. ", " Keys are two."]
    [gap, behind] = map(int, re.findall("⋯ ([0-9]+) characters ⋯", shown))
    visible = re.sub("⋯[^⋯]*⋯|<style>.*?</style>|<[^>]*>", "", shown.partition('<div class="marked">')[2])
    assert 800 < gap < 840 < AT
    assert gap + behind + len(unescape(visible).replace("[1]", "").strip()) == pytest.approx(len(LEASE), abs=8)
    assert "pruned &quot;x&quot;" in shown
    checked(shown)


def test_a_document_that_is_not_there_is_told():
    assert "is not among these documents" in reading(cited(0, 5), Corpus.of("Some text.")).html


def test_pictures_of_two_evaluations_share_no_place():
    pytest.importorskip("matplotlib")
    rows = tuple(ScoredRow(f"q{n}", "Who?", "g", "fact", "m", "full", "full", "squad-f1", 1.0) for n in range(3))
    found = Evaluation("<b>trial</b>", rows)
    one, two = ({*re.findall(r' id="([^"]+)"', found._repr_html_())} for _ in range(2))
    assert one
    assert not one & two
    assert "<script" not in found._repr_html_()
