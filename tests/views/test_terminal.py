"""Terminal views render everything, within the width, and let no text act."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from ragctx.routing import Plan, PlanRow
from ragctx.types import Answer, Candidate, Decision, Estimate, Question
from ragctx.views import terminal
from ragctx.views.text import clean, one_line

ACTING = {"\x1b", "\x07", "\u202e", "\r"}


@pytest.fixture
def everything(answers, plans, statuses, rows):
    return [
        *(terminal.answer(value) for value in answers.values()),
        *(terminal.explanation(value, "Why [b]so[/b]?") for value in answers.values()),
        *(terminal.plan(value) for value in plans.values()),
        *(terminal.short(value) for value in plans.values()),
        *(terminal.status(value) for value in statuses.values()),
        *(terminal.row(value, 24) for value in rows.values()),
    ]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_nothing_acts_and_nothing_runs_over(everything, printed, width):
    for view in everything:
        text = printed(view, width)
        assert not ACTING & set(text)
        assert max(map(cell_len, text.splitlines()), default=0) <= width


def test_markup_in_text_is_text(answers, plans, rows, printed):
    for view in (
        terminal.answer(answers["hostile"]),
        terminal.plan(plans["hostile"]),
        terminal.row(rows["hostile"], 3),
    ):
        assert "[red]x[/red]" in printed(view)


def test_blocks_end_no_line_in_blanks(plans, answers, rows, printed):
    for view in (terminal.plan(plans["one"]), terminal.answer(answers["whole"]), terminal.row(rows["answered"], 3)):
        assert all(line == line.rstrip() for line in printed(view).splitlines())


def test_an_answer_shows_its_account(answers, printed):
    text = printed(terminal.answer(answers["whole"]))
    assert "Three months." in text
    assert "page 3" in text
    assert "2 citations dropped" in text
    assert "read 45 % of 2 documents, 4,080 tokens in 2 calls" in text


def test_an_explanation_has_every_part(answers, printed):
    text = printed(terminal.explanation(answers["whole"], "How long is it?"))
    for part in ("How long is it?", "strategies", "signals", "read", "considered and left unread", "bill"):
        assert part in text
    assert "and 20 more; --json has all of them" in text


def test_a_plan_says_totals_and_what_cannot_be_read(plans, printed):
    assert "Nothing is spent yet." in printed(terminal.plan(plans["none"]))
    text = printed(terminal.plan(plans["unreadable"]))
    assert "full needs 9,000 tokens" in text
    assert "1 that no strategy can read" in text
    assert "note: no encoder" in text
    assert "2,060 (2,001-2,120) tokens" in printed(terminal.plan(plans["one"]))


def test_the_short_plan_is_one_line_a_question(plans, printed):
    lines = printed(terminal.short(plans["hostile"])).splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["1", "2", "3"]


def test_a_status_counts(statuses, printed):
    text = printed(terminal.status(statuses["half"]))
    assert "10 questions: 3 answered, 2 declined, 1 failed, 4 pending" in " ".join(text.split())
    assert "tokens 110 %" in printed(terminal.status(statuses["held"]))


def test_rows_answered_and_failed(rows, printed):
    text = printed(terminal.row(rows["answered"], 24))
    for part in (" 1. Why?", "Three months.", "[1] ", "retrieve: read", "why: "):
        assert part in text
    assert "failed: RequestFailed: [red]x" in printed(terminal.row(rows["failed"], 24))
    assert "failed: no answer" in printed(terminal.row(rows["neither"], 24))


def test_the_table_of_kinds_adds_up(printed):
    from ragctx.evaluation.scoring import table_by_kind
    from ragctx.types import Question

    pairs = [
        (Question("Who?", id="1", answers=("Ada Moss",), kind="single fact"), Answer("Ada Moss")),
        (Question("Who else?", id="2", answers=("Ben",), kind="single fact"), None),
        (Question("What?", id="3", answerable=False, kind="unanswerable"), Answer("No.", answerable=False)),
    ]
    lines = printed(terminal.kinds(table_by_kind(pairs))).splitlines()
    assert lines[1].split() == ["single", "fact", "2", "1", "50", "%", "0", "1", "0.50"]
    assert lines[-1].split()[:5] == ["all", "3", "2", "67", "%"]
    assert printed(terminal.kinds(()))


def test_findings_name_the_remedy(printed):
    finding = {"what": "endpoint", "ok": False, "detail": "refused", "remedy": "start it", "optional": False}
    text = printed(terminal.findings([finding, finding | {"optional": True}, finding | {"ok": True, "remedy": ""}]))
    assert "FAILED  endpoint" in text
    assert "missing endpoint" in text
    assert "-> start it" in text
    assert printed(terminal.findings([])).strip() == ""


def test_clean_keeps_letters_of_every_script():
    assert clean("na\udcefve \ud83d") == "na\ufffdve \ufffd"
    for text in ("naïve", "契約", "עברית", "👩‍🔧", "a\tb\nc"):
        assert clean(text) == text


def test_one_line_cuts_where_asked():
    assert one_line("a " * 50, 10) == "a a a a a…"
    assert one_line("short", 10) == "short"


def test_a_plain_string_is_printed_as_it_is(printed, hostile):
    assert "[red]x[/red]" in printed(hostile)


def test_a_plan_tells_of_the_best_three_that_were_not_taken_and_names_the_others(printed):
    from ragctx.views import html

    estimate = Estimate.exactly(prompt=2000, output=(1, 60, 120))
    others = tuple(Candidate(f"way-{n}", estimate, 0.5, 1.0, 0.5 - n / 100, f"score {n}") for n in range(6))
    decision = Decision("retrieve", "single fact", {}, (Candidate("retrieve", estimate, 0.8, 0.2, 0.8), *others))
    value = Plan((PlanRow(Question("How long?"), decision),))
    text, page = printed(terminal.plan(value)), html.plan(value)
    assert [n for n in range(6) if f"not way-{n}: score {n}" in text] == [0, 1, 2]
    assert "nor way-3, way-4, way-5" in text
    assert all(f"not way-{n}: score {n}" in page for n in range(6))
