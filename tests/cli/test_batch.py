"""Batch jobs from the command line: run, stop, resume, status, export, money."""

from __future__ import annotations

import csv
import json
import re
import signal
import time

import pytest

SLOW = 'window = 8192\n[[rule]]\nmatch = ""\nreply = "Three months. [1]"\ndelay = 0.4\n'
PRICED = 'default = "Three months. [1]"\nwindow = 8192\n[prices]\nprompt = 1000.0\noutput = 2000.0\n'
FLAKY = (
    'default = "Three months. [1]"\nwindow = 8192\n[[rule]]\nmatch = "How high"\n'
    'failure = {kind = "unauthorised", message = "no key: set one"}\n'
)


@pytest.fixture
def asked(questions):
    return questions(
        {"id": "notice", "question": "What is the notice period?"},
        {"id": "deposit", "question": "How high is the deposit?"},
        {"id": "pets", "question": "Are pets allowed?"},
    )


def test_run_status_export_explain(ragctx, documents, reader, asked, tmp_path):
    done = ragctx("batch", "run", asked, "-j", "a.sqlite", "-d", documents, "-r", reader())
    assert done.code == 0
    assert "3 questions: 3 answered, 0 declined, 0 failed, 0 pending" in done.out
    found = ragctx("batch", "status", "a.sqlite", "--json").json
    assert (found["total"], found["answered"], found["pending"]) == (3, 3, 0)
    assert ragctx("batch", "export", "a.sqlite", "rows.jsonl").code == 0
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 3
    assert ragctx("batch", "export", "a.sqlite", "rows.csv", "--json").json["rows"] == 3
    with (tmp_path / "rows.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 3
    assert ragctx("explain", "a.sqlite", "--id", "pets").code == 0
    assert ragctx("explain", "rows.jsonl", "--id", "pets").code == 0
    unclear = ragctx("explain", "a.sqlite")
    assert unclear.code == 2
    assert "--id" in unclear.err


def test_the_same_command_again_asks_nothing(ragctx, documents, asked, endpoint):
    arguments = ["batch", "run", asked, "-j", "a.sqlite", "-d", documents, "-r", endpoint.reader]
    assert ragctx(*arguments).code == 0
    before = endpoint.calls
    assert before == 3
    assert ragctx(*arguments).code == 0
    assert ragctx("batch", "resume", "a.sqlite").code == 0
    assert endpoint.calls == before


def test_other_questions_are_not_the_same_job(ragctx, documents, reader, asked, questions):
    name = reader()
    ragctx("batch", "run", asked, "-j", "a.sqlite", "-d", documents, "-r", name)
    other = questions({"question": "Something else?"}, name="other.jsonl")
    done = ragctx("batch", "run", other, "-j", "a.sqlite", "-d", documents, "-r", name)
    assert done.code == 2
    assert "new job" in done.err


def test_failed_rows_are_counted_and_retried_on_request(ragctx, documents, reader, asked):
    failing = reader(FLAKY)
    done = ragctx("batch", "run", asked, "-j", "a.sqlite", "-d", documents, "-r", failing)
    assert done.code == 7
    assert "1 failed" in done.out
    assert "RequestFailed" in done.out
    assert ragctx("batch", "export", "a.sqlite", "rows.jsonl").code == 0
    for saved in ("a.sqlite", "rows.jsonl"):
        assert "no key: set one" in ragctx("explain", saved, "--id", "deposit").err
        assert "Three months." in ragctx("explain", saved, "--id", "notice").out
    assert ragctx("batch", "resume", "a.sqlite").code == 7  # a failed row stays failed
    reader()  # the same script, mended
    again = ragctx("batch", "resume", "a.sqlite", "--retry-failed")
    assert again.code == 0
    assert "3 answered" in again.out


@pytest.mark.alone
def test_ctrl_c_keeps_every_finished_row(process, ragctx, documents, reader, questions, tmp_path):
    rows = questions(*({"id": f"q{n}", "question": f"What does clause {n} say?"} for n in range(200)))
    name = reader(SLOW)
    with process("batch", "run", rows, "-j", "my job.sqlite", "-d", documents, "-r", name) as started:
        _until(lambda: ragctx("batch", "status", "my job.sqlite", "--json"), started)
        started.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, err = started.communicate(timeout=20)
    assert time.monotonic() - began < 5
    assert started.returncode == 130
    assert "ragctx batch resume 'my job.sqlite'" in err
    assert "Traceback" not in err
    kept = ragctx("batch", "status", "my job.sqlite", "--json").json["done"]
    assert kept > 0
    reader()  # quick from now on
    assert ragctx("batch", "resume", "my job.sqlite").code == 0
    assert ragctx("batch", "status", "my job.sqlite", "--json").json["answered"] == 200


def _until(status, started, seconds: float = 30.0) -> None:
    """Until the job that runs elsewhere has a finished row."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert started.poll() is None, started.communicate()
        found = status()
        if found.code == 0 and found.json["done"]:
            return
        time.sleep(0.1)
    raise AssertionError("no row was ever finished")


def test_resume_needs_nothing_but_the_file(ragctx, documents, reader, asked, tmp_path, monkeypatch):
    failing = reader(FLAKY)
    ragctx("batch", "run", asked, "-j", "a.sqlite", "-d", "documents", "-r", "scripted:script.toml", "--budget", "5000")
    assert failing
    reader()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    asked.unlink()
    done = ragctx("batch", "resume", "../a.sqlite", "--retry-failed")
    assert (done.code, done.err.count("error")) == (0, 0), done.err
    assert ragctx("batch", "resume", "../a.sqlite", "-o", "window=5").code == 2


def test_a_resumed_job_is_quoted_for_the_rows_that_are_left(ragctx, documents, reader, asked):
    prices = PRICED[PRICED.index("[prices]") :]
    failing = reader(FLAKY + prices)
    whole = _quoted(ragctx("batch", "run", asked, "-j", "a.sqlite", "-d", documents, "-r", failing))
    assert ragctx("batch", "run", asked, "-j", "a.sqlite", "-d", documents, "-r", failing, "--yes").code == 7
    left = _quoted(ragctx("batch", "resume", "a.sqlite", "--retry-failed"))
    assert whole / 4 < left < whole / 2  # one of three


def _quoted(refused) -> float:
    assert refused.code == 2
    return float(re.search(r"may cost ([\d.]+) to", refused.err)[1])


def test_a_priced_reader_needs_a_ceiling_or_a_yes(ragctx, documents, reader, asked, monkeypatch):
    arguments = ["batch", "run", asked, "-j", "a.sqlite", "-d", documents, "-r", reader(PRICED)]
    refused = ragctx(*arguments)
    assert refused.code == 2
    assert "--max-cost" in refused.err
    assert "USD" in refused.err
    with monkeypatch.context() as closed:
        closed.setattr("sys.stdin", None)
        assert ragctx(*arguments).code == 2
    stopped = ragctx(*arguments, "--max-cost", "0.0001")
    assert stopped.code == 4
    assert "3 pending" in stopped.out
    assert "raise the ceiling" in " ".join(stopped.out.split())
    assert ragctx(*arguments, "--yes").code == 0
    assert ragctx(*arguments).code == 0  # nothing is left to be paid


@pytest.mark.parametrize(("said", "code"), [("y\n", 0), ("n\n", 130)])
def test_a_person_is_asked_about_money(ragctx, documents, reader, asked, monkeypatch, said, code):
    import io

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal(said))
    done = ragctx("batch", "run", asked, "-j", "a.sqlite", "-d", documents, "-r", reader(PRICED))
    assert done.code == code
    assert "Go on?" in done.err


def test_files_that_are_no_jobs(ragctx, tmp_path):
    (tmp_path / "text.sqlite").write_text("hello")
    for command in (["status"], ["resume"], ["export"]):
        tail = ["out.jsonl"] if command == ["export"] else []
        missing = ragctx("batch", *command, "none.sqlite", *tail)
        assert missing.code == 2
        assert "none.sqlite" in missing.err
        wrong = ragctx("batch", *command, "text.sqlite", *tail)
        assert wrong.code == 6
        assert "not a job file" in wrong.err


def test_a_job_in_a_folder_that_is_not_there(ragctx, documents, reader, asked):
    done = ragctx("batch", "run", asked, "-j", "no/such/a.sqlite", "-d", documents, "-r", reader())
    assert done.code == 2
    assert "create it" in done.err


def test_two_runs_of_one_job(process, ragctx, documents, reader, questions):
    rows = questions(*({"id": f"q{n}", "question": f"What does clause {n} say?"} for n in range(100)))
    arguments = ["batch", "run", rows, "-j", "a.sqlite", "-d", documents, "-r", reader(SLOW)]
    with process(*arguments) as first:
        _until(lambda: ragctx("batch", "status", "a.sqlite", "--json"), first)
        second = ragctx(*arguments)
        first.kill()
    assert second.code == 6
    assert "a.sqlite" in second.err


def test_a_job_made_in_python_says_so(ragctx, documents, reader, tmp_path):
    from ragctx import Pipeline

    with Pipeline.over(documents, reader=reader(), encoder=None) as pipeline:
        list(pipeline.batch(["What is the notice period?"], job=tmp_path / "a.sqlite"))
    done = ragctx("batch", "resume", "a.sqlite")
    assert done.code == 2
    assert "Python" in done.err
    assert json.loads(ragctx("batch", "status", "a.sqlite", "--json").out)["done"] == 1


def test_a_job_budget_is_planned_frozen_and_resumed(ragctx, documents, reader, asked, tmp_path):
    named = ("batch", "run", asked, "-d", documents, "--reader", reader(), "--lambda", "0")
    free = ragctx(*named, "--job", tmp_path / "free.sqlite", "--json")
    assert free.code == 0, free.err
    low = ragctx(*named, "--job", tmp_path / "low.sqlite", "--job-budget", "20")
    assert low.code == 4
    assert "over the budget of 20" in low.err
    job = tmp_path / "some.sqlite"
    some = ragctx(*named, "--job", job, "--job-budget", "100000", "--json")
    assert some.code == 0, some.err
    assert ragctx("batch", "resume", job, "--json").code == 0
    other = ragctx(*named, "--job", job, "--job-budget", "90000")
    assert other.code == 2
    assert "total" in other.err
