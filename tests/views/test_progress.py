"""Progress is drawn where somebody watches, and nowhere else."""

from __future__ import annotations

import io
from contextlib import redirect_stderr

import pytest

from ragctx.batch import Tick
from ragctx.corpus import Progress as Indexed
from ragctx.engine import Delta
from ragctx.engine import Progress as Answering
from ragctx.pipeline import Done, Planned
from ragctx.types import Answer, Decision
from ragctx.views import progress


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")


def events():
    yield Planned(Decision("retrieve", "single fact [red]"))
    yield Delta("q", "Three ")
    yield Delta("q", "months.\x1b[2J")
    yield Delta("q", "Four months.", restart=True)
    yield Done(Answer("Four months."))


def draw_all():
    with progress.indexing() as indexed:
        indexed(Indexed("indexing", 0, 0, "bytes"))
        indexed(Indexed("indexing", 50_000, 200_000, "bytes", "a[red]\x1b[31m.txt"))
        indexed(Indexed("indexing", 200_000, 200_000, "bytes"))
    with progress.embedding(640) as embedded:
        embedded(Answering("index", 0, 16, 0))
        embedded(Answering("index", 4, 16, 5000))
    with progress.batch(10) as on_event:
        on_event(Tick(10, 0, 0, 0))
        on_event(Tick(10, 4, 1, 1, finished=5, tokens=5000, seconds=2.0))
        on_event("something else")
    return progress.streamed(events())


def test_silent_where_nobody_watches(capsys):
    assert draw_all().text == "Four months."
    assert capsys.readouterr() == ("", "")


def test_drawn_on_a_terminal(capsys):
    with redirect_stderr(Screen()) as screen:
        assert draw_all().text == "Four months."
    drawn = screen.getvalue()
    for part in ("indexing", "200 kB of 200 kB", "embedding", "tokens/s", "5 of 10", "1 failed", "left"):
        assert part in drawn
    assert "\x1b[2J" not in drawn
    assert "[red]" in drawn
    assert capsys.readouterr().out == ""


def test_no_encoder_is_named_where_none_is_asked():
    with redirect_stderr(Screen()) as screen, progress.embedding(640):
        pass
    assert "preparing" in screen.getvalue()
    assert "encoder" not in screen.getvalue()


def test_a_job_tells_of_its_indexes_until_its_rows_begin():
    with redirect_stderr(Screen()) as screen, progress.batch(10, 640) as on_event:
        on_event(Answering("index", 0, 16, 0))
    assert "embedding" in screen.getvalue()
    assert "loading the encoder" in screen.getvalue()
    with redirect_stderr(Screen()) as screen, progress.batch(10, 640) as on_event:
        on_event(Tick(10, 0, 0, 0))
        on_event(Answering("reading", 0, 16, 0))
    assert "answering" in screen.getvalue()
    assert "encoder" not in screen.getvalue()


def test_quiet_is_quiet():
    with redirect_stderr(Screen()) as screen:
        assert progress.streamed(events(), quiet=True).text == "Four months."
    assert screen.getvalue() == ""


def test_a_stream_without_an_answer_is_a_fault():
    with pytest.raises(RuntimeError, match="without an answer"):
        progress.streamed([])
