"""`ragctx evaluate` over small sets, with a scripted reader."""

from __future__ import annotations

import json

import pytest

LEASE = "The notice period is three months. The deposit is 900 crowns."
POLICY = "A hotel room may cost up to 140 crowns a night. Taxis need a receipt."
ROWS: tuple = (
    {
        "id": "n",
        "question": "How long is the notice period?",
        "answers": ["three months"],
        "document": LEASE,
        "kind": "a",
    },
    {"id": "h", "question": "What may a hotel cost?", "answers": ["140 crowns"], "document": POLICY, "kind": "b"},
)
BARE = ("--strategy", "full", "--strategy", "retrieve")


@pytest.fixture
def evaluate(ragctx, questions, reader, tmp_path):
    def run(*more, rows=ROWS, script='default = "Three months. [1]"\nwindow = 8192\n'):
        named = ("--reader", reader(script), "--scorer", "none", "--job", tmp_path / "jobs")
        return ragctx("evaluate", questions(*rows), *named, *more)

    return run


def test_scores_and_costs_of_every_strategy(evaluate):
    done = evaluate(*BARE, "--against", "full", "--json")
    assert done.code == 0, done.err
    found = done.json
    assert [(row["strategy"], row["question"], row["score"]) for row in found["rows"]] == [
        ("full", "n", 1.0),
        ("full", "h", 0.0),
        ("retrieve", "n", 1.0),
        ("retrieve", "h", 0.0),
    ]
    assert all(row["tokens"] > 20 and row["calls"] == 1 for row in found["rows"])
    assert [one["score"] for one in found["summaries"]] == [0.5, 0.5]
    assert found["against"][0]["comparison"]["difference"] == 0.0
    assert found["metrics"] == {"correct": "this project's rule, ragctx.evaluation.scoring"}


def test_a_second_run_asks_nothing_again_and_says_the_same(evaluate):
    first = evaluate(*BARE, "--json").json
    again = evaluate(*BARE, "--json").json
    assert first["rows"] == again["rows"]


def test_failures_are_rows_that_score_nothing(evaluate):
    done = evaluate("--strategy", "retrieve", "--json", script='default = "x"\nwindow = 16\n')
    assert done.code == 7
    assert all(row["failure"] and row["score"] == 0 for row in done.json["rows"])


def test_markdown_and_table_and_page(evaluate, tmp_path):
    done = evaluate(*BARE, "--against", "full", "--markdown", "--html", tmp_path / "page.html")
    assert done.code == 0, done.err
    assert "## By strategy" in done.out
    assert "## Against full" in done.out
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "By strategy" in page
    assert "By strategy" in evaluate(*BARE).out


def test_metric_and_limit(evaluate):
    done = evaluate("--strategy", "full", "--metric", "squad-f1", "--limit", "1", "--json")
    [row] = done.json["rows"]
    assert (row["metric"], row["score"]) == ("squad-f1", 1.0)


def test_the_router_is_an_arm(evaluate):
    done = evaluate("--strategy", "router", *BARE, "--json")
    assert done.code == 0, done.err
    assert {row["taken"] for row in done.json["rows"] if row["strategy"] == "router"} <= {"full", "retrieve"}


@pytest.mark.parametrize(
    ("more", "code", "says"),
    [
        (("--strategy", "fulll"), 2, "did you mean 'full'"),
        (("--metric", "rouge"), 2, "rouge-l"),
        (("--strategy", "full", "--against", "retrieve"), 2, "add --strategy retrieve"),
        (("--json", "--markdown"), 2, "choose one"),
    ],
)
def test_wrong_settings_are_told_at_once(evaluate, more, code, says):
    done = evaluate(*more)
    assert (done.code, says in done.err) == (code, True), done.err


def test_bad_rows_name_file_row_and_field(evaluate):
    done = evaluate("--strategy", "full", rows=(ROWS[0], {"question": "Who?", "contexts": [{"title": "x"}]}))
    assert done.code == 3
    assert "row 2, contexts[0], field 'text': is missing" in " ".join(done.err.split())


def test_no_gold_is_refused_before_anything_is_asked(evaluate, tmp_path):
    done = evaluate("--strategy", "full", rows=({"id": "bare", "question": "Who?", "document": "x y"},))
    assert done.code == 3
    assert "question bare" in done.err
    assert not (tmp_path / "jobs").exists()


def test_questions_without_text_are_asked_over_the_documents_named(evaluate, documents):
    rows = ({"id": "n", "question": "How long is the notice period?", "answers": ["three months"]},)
    done = evaluate("--strategy", "full", "--documents", documents, "--json", rows=rows)
    assert [row["score"] for row in done.json["rows"]] == [1.0], done.err
    assert json.loads(done.out)["pending"] == 0
