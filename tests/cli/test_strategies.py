"""Naming a strategy with its options, and the list of those there are."""

from __future__ import annotations

import pytest

from ragctx.cli.ways import parsed
from ragctx.errors import ConfigError

QUESTION = "What is the notice period?"


def test_every_strategy_is_listed_with_what_it_does(ragctx):
    from ragctx.registry import names

    told = ragctx("strategies", "--json").json
    assert sorted(row["strategy"] for row in told) == names("strategies")
    assert all(row["what it does"] for row in told)
    assert {row["strategy"]: row["used"] for row in told}["escalate"] == "by name"
    assert told[0]["used"] == "router"
    shown = ragctx("strategies").out
    assert "escalate" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_the_table_of_the_readme(ragctx):
    lines = ragctx("strategies", "--markdown").out.splitlines()
    assert lines[0] == "| strategy | used | what it does |"
    assert any(line.startswith("| `escalate` | by name | Try a cheap way") for line in lines)


def test_the_options_of_one(ragctx):
    told = {row["option"]: row["default"] for row in ragctx("strategies", "escalate", "--json").json}
    assert (told["cheap"], told["most"], told["widen"]) == ("retrieve", "4.0", "2.0")
    assert "templates" not in told
    assert "did you mean 'escalate'" in ragctx("strategies", "escalat").err


def test_a_named_strategy_with_options(ragctx, documents, reader, questions):
    said = reader('default = "Not in the documents."\nwindow = 8192\n')
    named = "escalate:cheap=retrieve,dear=full,most=100"
    found = ragctx("ask", QUESTION, "-d", documents, "-r", said, "--strategy", named, "--json").json
    assert found["strategy"] == "escalate"
    assert any("retrieve did not pass" in note for note in found["notes"])
    asked = questions({"question": QUESTION})
    planned = ragctx("plan", asked, "-d", documents, "-r", said, "--strategy", "retrieve:tokens=300", "--json").json
    assert planned["rows"][0]["decision"]["strategy"] == "retrieve"


def test_options_from_the_settings_file(ragctx, documents, reader, tmp_path):
    (tmp_path / "ragctx.toml").write_text('[strategy_options.escalate]\nchecks = ["retrieval"]\n')
    said = reader('default = "Not in the documents."\nwindow = 8192\n')
    found = ragctx("ask", QUESTION, "-d", documents, "-r", said, "--strategy", "escalate", "--json").json
    assert "retrieve answered, and passed the checks (retrieval)" in found["notes"]


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("retrieve:tokens", "is no NAME=VALUE"),
        ("retrieve:tokens=1,tokens=2", "is given twice"),
        ("retrieve:tokes=3", "has no option tokes"),
        ("retrieve:tokens=many", "tokens='many' is no"),
        ("retreive:tokens=3", "did you mean 'retrieve'"),
    ],
)
def test_wrong_options_are_a_setting_error(ragctx, documents, reader, named, told):
    done = ragctx("ask", QUESTION, "-d", documents, "-r", reader(), "--strategy", named)
    assert done.code == 2
    assert told in " ".join(done.err.split())


def test_a_job_goes_on_with_its_options(ragctx, documents, reader, questions):
    asked = questions({"question": QUESTION}, {"question": "What is the deposit?"})
    run = ragctx(
        "batch", "run", asked, "-d", documents, "-r", reader(), "-j", "j.sqlite", "--strategy", "full:max_output=9"
    )
    assert run.code == 0
    assert ragctx("batch", "resume", "j.sqlite").code == 0


def test_crag_is_a_second_name_that_says_which(ragctx, documents, reader, questions, monkeypatch):
    monkeypatch.setenv("RAGCTX_ENCODER", "extractive")
    asked, said = questions({"question": QUESTION}), reader('default = "Three months. [1]"\nwindow = 8192\n')
    for named in ("crag", "crag:max_output=40"):
        planned = ragctx("plan", asked, "-d", documents, "-r", said, "--strategy", named, "--json").json
        decision = planned["rows"][0]["decision"]
        assert decision["strategy"] == "clustered"
        assert "Akesson and Santos" in decision["why"]
        assert "corrective" in decision["why"]
    found = ragctx("ask", QUESTION, "-d", documents, "-r", said, "--strategy", "crag", "--json").json
    assert found["strategy"] == "clustered"
    assert "Akesson and Santos" in ragctx("ask", QUESTION, "-d", documents, "-r", said, "--strategy", "crag").out


def test_an_index_asks_no_stand_in_for_summaries(ragctx, documents, reader, monkeypatch, tmp_path):
    """What the reader has to write waits for the reader that will answer."""
    monkeypatch.setenv("RAGCTX_ENCODER", "extractive")
    monkeypatch.setenv("RAGCTX_STRATEGIES", "clustered")
    (documents / "long.txt").write_text("The boat has a sail. It is white. " * 400, encoding="utf-8")
    done = ragctx("index", "-d", documents)
    assert done.code == 0
    assert "clustered asks the reader for more than an index" in " ".join(done.err.split())
    said = reader('default = "Three months. [1]"\nwindow = 8192\n')
    found = ragctx("ask", QUESTION, "-d", documents, "-r", said, "--strategy", "clustered", "--json").json
    assert "summaries cost" in " ".join(found["notes"])
    assert "summaries cost 0" not in " ".join(found["notes"])


def test_a_spec_is_parsed():
    assert parsed("a:b-c=1,d=x y") == ("a", {"b_c": 1, "d": "x y"})
    with pytest.raises(ConfigError, match="NAME=VALUE"):
        parsed("a:")
