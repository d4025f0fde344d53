"""Index, plan, ask, explain, cache and doctor, used as a person and as a program uses them."""

from __future__ import annotations

import json

import pytest

from ragctx.routing import Policy

QUESTION = "What is the notice period?"


def test_index_says_what_it_holds(ragctx, documents):
    done = ragctx("index", "-d", documents)
    assert done.code == 0
    assert done.out.startswith("2 documents, ")
    assert ragctx("index", "-d", documents, "--json").json["documents"] == 2


@pytest.mark.parametrize("text", ["How long is the notice period?", "\u901a\u77e5\u671f\uff1f"])
def test_plan_takes_a_question_as_it_is(ragctx, documents, reader, text):
    name = documents.iterdir().__next__().name
    found = ragctx("plan", text, "-d", documents, "-r", reader(), "--where", name, "--json").json
    [row] = found["rows"]
    assert row["question"]["text"] == text
    assert row["question"]["where"]["documents"] == [name]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["questions.jsonl"], "cannot read the questions in questions.jsonl"),
        (["my questions.csv"], "cannot read the questions in my questions.csv"),
        (["deposit"], "a question of one word ends with '?'"),
    ],
)
def test_plan_of_no_file_says_so(ragctx, documents, reader, given, said):
    done = ragctx("plan", *given, "-d", documents, "-r", reader())
    assert done.code == 3
    assert said in done.err


def test_what_questions_of_a_file_read_is_in_the_file(ragctx, documents, questions, reader):
    asked = questions({"question": QUESTION})
    done = ragctx("plan", asked, "-d", documents, "-r", reader(), "--where", "*.md")
    assert done.code == 3
    assert "a field `where` of their own" in done.err


def test_plan_calls_no_model_and_shows_what_was_rejected(ragctx, documents, questions, reader):
    asked = questions({"question": QUESTION}, {"question": "Compare the deposit with the price of a hotel room."})
    failing = reader('default = "never"\n[[rule]]\nmatch = ""\nfailure = {kind = "server", message = "called"}\n')
    done = ragctx("plan", asked, "-d", documents, "-r", failing)
    assert done.code == 0
    assert "Nothing is spent yet." in " ".join(done.out.split())
    assert "not full" in done.out or "not retrieve" in done.out
    found = ragctx("plan", asked, "-d", documents, "-r", failing, "--json").json
    assert found["rows"][0]["question"]["text"] == QUESTION
    considered = {c["strategy"] for c in found["rows"][0]["decision"]["candidates"]}
    assert {"compress", "extract", "full", "retrieve"} <= considered
    assert not considered & set(Policy.load().by_name)


def test_ask_shows_answer_citation_cost_and_reason(ragctx, documents, reader):
    done = ragctx("ask", QUESTION, "-d", documents, "-r", reader())
    assert done.code == 0
    assert done.out.startswith("Three months.")
    assert "[1] lease.md" in done.out
    assert "The notice period is three months." in done.out
    assert "tokens in 1 call" in done.out
    assert "why: " in done.out
    assert done.err == ""


def test_an_edited_script_gives_the_new_reply(ragctx, documents, tmp_path):
    for said in ("Three months. [1]", "Nine months. [1]"):
        (tmp_path / "said.toml").write_text(f'default = "{said}"\n')
        found = ragctx("ask", QUESTION, "-d", documents, "-r", "scripted:said.toml", "--json").json
        assert found["text"] == said.removesuffix(" [1]")


def test_ask_json_is_one_object_that_explain_reads(ragctx, documents, reader, tmp_path):
    done = ragctx("ask", QUESTION, "-d", documents, "-r", reader(), "--json")
    assert done.json["text"] == "Three months."
    (tmp_path / "saved.json").write_text(done.out)
    told = ragctx("explain", "saved.json")
    assert told.code == 0
    for part in ("strategies", "signals", "bill", "read"):
        assert f"\n{part}" in told.out
    assert ragctx("explain", "saved.json", "--json").json == done.json


def test_where_narrows_what_is_read(ragctx, documents, reader):
    done = ragctx("ask", QUESTION, "-d", documents, "-r", reader(), "--where", "policy*", "--json")
    assert {c["span"]["document"] for c in done.json["citations"]} <= {"policy.txt"}
    assert [c["document"] for c in done.json["coverage"]] == ["policy.txt"]


def test_a_named_strategy_is_taken(ragctx, documents, reader):
    for name in ("full", "retrieve"):
        assert ragctx("ask", QUESTION, "-d", documents, "-r", reader(), "--strategy", name, "--json").json[
            "strategy"
        ] == (name)


def test_a_budget_that_nothing_fits_is_a_limit(ragctx, documents, reader):
    done = ragctx("ask", QUESTION, "-d", documents, "-r", reader(), "--budget", "5")
    assert done.code == 4
    assert "5" in done.err
    assert "Traceback" not in done.err


def test_pages_are_written_where_asked(ragctx, documents, reader, questions, tmp_path):
    ragctx("ask", QUESTION, "-d", documents, "-r", reader(), "--html", "answer.html")
    ragctx("plan", questions({"question": QUESTION}), "-d", documents, "-r", reader(), "--html", "plan.html")
    ragctx("index", "-d", documents, "--html", "index.html")
    for name in ("answer", "plan", "index"):
        assert (tmp_path / f"{name}.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    refused = ragctx("ask", QUESTION, "-d", documents, "-r", reader(), "--html", "nowhere/answer.html")
    assert refused.code == 3
    assert "cannot use nowhere/answer.html" in refused.err


def test_explain_names_its_remedies(ragctx, tmp_path):
    assert ragctx("explain", "none.json").code == 2
    (tmp_path / "other.json").write_text('{"a": 1}\n')
    assert ragctx("explain", "other.json").code == 3
    (tmp_path / "empty.json").write_text("")
    assert ragctx("explain", "empty.json").code == 3
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00\x80")
    assert ragctx("explain", "bytes.json").code == 3


def test_cache_is_shown_and_cleared(ragctx, documents, reader):
    ragctx("ask", QUESTION, "-d", documents, "-r", reader())
    parts = ragctx("cache", "info", "--json").json["parts"]
    assert parts["corpora"]["bytes"] > 0
    assert "corpora" in ragctx("cache", "info").out
    assert ragctx("cache", "clear", "corpra", "--yes").code == 2
    assert ragctx("cache", "clear", "corpora", "--yes").code == 0
    assert "corpora" not in ragctx("cache", "info", "--json").json["parts"]
    assert ragctx("cache", "clear", "--yes").code == 0
    assert ragctx("cache", "info", "--json").json["parts"] == {}


def test_cache_is_kept_when_nobody_agrees(ragctx, documents, monkeypatch):
    ragctx("index", "-d", documents)
    monkeypatch.setattr("sys.stdin", None)
    refused = ragctx("cache", "clear")
    assert (refused.code, refused.out) == (130, "")
    assert "nothing was deleted" in refused.err
    assert "corpora" in ragctx("cache", "info", "--json").json["parts"]


def test_doctor_finds_everything_here(ragctx, reader):
    done = ragctx("doctor", "-r", reader())
    assert done.code == 0
    assert "window 8,192 tokens" in " ".join(done.out.split())
    found = ragctx("doctor", "-r", reader(), "--json").json
    assert {"extra local", "cache folder"} <= {finding["what"] for finding in found}


def test_doctor_reaches_an_endpoint(ragctx, endpoint):
    done = ragctx("doctor", "-r", endpoint.reader)
    assert done.code == 0
    assert "is reachable" in " ".join(done.out.split())


def test_doctor_says_what_is_wrong(ragctx, tmp_path, monkeypatch):
    done = ragctx("doctor", "-r", "openai:m@http://127.0.0.1:9/v1", "-o", "connect=0.5")
    assert done.code == 1
    assert "FAILED" in done.out
    assert "-> start the server" in done.out
    (tmp_path / "file").touch()
    monkeypatch.setenv("RAGCTX_CACHE", str(tmp_path / "file"))
    assert "set RAGCTX_CACHE" in " ".join(ragctx("doctor", "-r", "scripted:echo").out.split())


@pytest.mark.parametrize("command", ["index", "plan", "ask", "batch run"])
def test_documents_have_to_be_named(ragctx, questions, command):
    arguments = {"ask": ["q"], "plan": [questions({"question": "q"})], "index": []}
    arguments["batch run"] = [questions({"question": "q"}), "--job", "j.sqlite"]
    done = ragctx(*command.split(), *arguments[command])
    assert done.code == 2
    assert "--documents" in done.err


def test_output_is_plain_where_nobody_watches(finished, documents, reader):
    done = finished("ask", QUESTION, "-d", documents, "-r", reader())
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out


def test_a_reader_of_the_output_may_leave(process, documents, reader, questions):
    asked = questions(*({"question": f"What is clause {n}?"} for n in range(300)))
    with process("plan", asked, "-d", documents, "-r", reader()) as started:
        started.stdout.readline()
        started.stdout.close()
        assert started.wait(60) == 0
        assert started.stderr.read() == ""


def test_json_keeps_other_scripts(finished, tmp_path, reader):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "契約.txt").write_text("通知期間は三か月です。", encoding="utf-8")
    reply = reader('default = "三か月です。[1]"')
    done = finished("ask", "通知期間は？", "-d", "d", "-r", reply, "--json", PYTHONIOENCODING="utf-8")
    assert json.loads(done.out)["text"].startswith("三か月")
    assert finished("ask", "通知期間は？", "-d", "d", "-r", reply, PYTHONIOENCODING="ascii").code == 0
