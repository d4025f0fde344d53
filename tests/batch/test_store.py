from __future__ import annotations

import sqlite3
import stat
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from ragctx.batch import JobStore, migrations, status
from ragctx.batch.keys import question_hash, question_json, read_question, row_key
from ragctx.errors import BadQuestion, ConfigError, StoreCorrupt, StoreError, StoreLocked
from ragctx.routing import Plan
from ragctx.types import Budget, Question, Turn, Where


def test_everything_is_frozen_and_read_back(bench):
    questions = [
        Question("Who?", id="a", history=(Turn("user", "Hello"),), where=Where(("*.pdf",), {"year": 2020}, (1, 3))),
        Question(
            "通知期间?", id="b", budget=Budget(tokens=9, money=0.5), answers=("x", "y"), answerable=False, kind="k"
        ),
    ]
    plan = bench.plan(questions, notes=("hybrid is BM25 alone",))
    with JobStore.create(bench.path, plan, {"policy": "p", "lambda": 0.1}, questions, manifest="m") as store:
        assert store.configuration == {"policy": "p", "lambda": 0.1}
        assert store.about("manifest") == "m"
        assert store.notes == ("hybrid is BM25 alone",)
        rows = sorted(store.pending(), key=lambda row: row.position)
        assert [row.question for row in rows] == questions
        assert [row.decision for row in rows] == [row.decision for row in plan.rows]


def test_the_file_and_what_stands_beside_it_are_private(bench):
    with bench.open() as store:
        store.stopped("for a reason")  # makes the write-ahead log
        files = [path for path in bench.folder.iterdir() if path.name.startswith("job.sqlite")]
        assert {path.name for path in files} >= {"job.sqlite", "job.sqlite-wal"}
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert [path.name for path in bench.folder.iterdir()] == ["job.sqlite"]


def test_a_commit_is_flushed_before_anybody_is_told(bench):
    with bench.open() as store:
        [(mode,)] = store.query("PRAGMA journal_mode")
        [(flush,)] = store.query("PRAGMA synchronous")
    assert (mode, flush) == ("wal", 2)  # 2 is FULL


def test_rows_that_read_alike_are_neighbours(bench):
    here, there = Where(("a.txt",)), Where(("b.txt",))
    questions = [Question(f"q {i}", id=f"q{i}", where=(here, there)[i % 2]) for i in range(6)]
    with bench.open(questions) as store:
        assert [row.question.id for row in store.pending()] == ["q0", "q2", "q4", "q1", "q3", "q5"]


def test_a_job_is_gone_on_with_from_its_file_alone(bench, monkeypatch):
    monkeypatch.setattr("ragctx.batch.store.PAGE", 5)
    bench.open().close()
    with JobStore.open(bench.path) as store:
        assert list(store.questions()) == bench.questions()
        store.must_match(store.questions(), store.configuration, store.about("manifest"))


def test_a_budget_of_whole_numbers_is_the_same_question_again(bench):
    question = Question("What?", id="a", budget=Budget(money=2, seconds=5))
    bench.open([question]).close()
    with JobStore.open(bench.path) as store:
        bench.open(store.questions()).close()


def test_the_order_is_the_same_each_time(bench):
    with bench.open() as store:
        first = [row.key for row in store.pending()]
    with bench.open() as store:
        assert [row.key for row in store.pending()] == first


def test_pages_leave_nothing_out(bench):
    with bench.open(bench.questions(11)) as store:
        seen, after = [], -1
        while page := store.pending(after, limit=3):
            assert len(page) <= 3
            seen += [row.question.id for row in page]
            after = page[-1].turn
    assert sorted(seen) == [f"q{i:02}" for i in range(11)]


def test_create_never_overwrites(bench):
    bench.open().close()
    with pytest.raises(ConfigError, match="exists"):
        JobStore.create(bench.path, bench.plan(bench.questions()), {})


def test_a_crash_while_creating_leaves_no_job(bench, monkeypatch):
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ragctx.batch.freeze._row_values", crash)
    with pytest.raises(KeyboardInterrupt):
        bench.open()
    assert list(bench.folder.iterdir()) == []
    monkeypatch.undo()
    bench.path.with_name("job.sqlite.new").write_bytes(b"left over by kill -9")
    with bench.open() as store:
        assert status(store).total == 12


@pytest.mark.parametrize(
    ("break_it", "error", "match"),
    [
        (lambda path: path.unlink(), ConfigError, "No such file"),
        (lambda path: path.write_bytes(b""), StoreCorrupt, "not a job file"),
        (lambda path: path.write_bytes(b"id,question\n" * 500), StoreCorrupt, "not a job file"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), StoreCorrupt, "copy"),
    ],
)
def test_what_is_not_a_job_is_refused(bench, break_it, error, match):
    bench.open().close()
    break_it(bench.path)
    with pytest.raises(error, match=match):
        JobStore.open(bench.path).close()


def test_another_programs_database_is_refused_and_left_alone(bench):
    connection = sqlite3.connect(bench.path)
    connection.execute("CREATE TABLE theirs(a)")
    connection.commit()
    connection.close()
    before = bench.path.read_bytes()
    with pytest.raises(StoreCorrupt, match="not a job file"):
        JobStore.open(bench.path)
    assert bench.path.read_bytes() == before


def test_a_damaged_page_is_told_with_a_remedy(bench):
    with bench.open(bench.questions(300)) as store:
        store.check()
    data = bytearray(bench.path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4096] = b"\xff" * 4096
    bench.path.write_bytes(data)
    with pytest.raises(StoreCorrupt, match=r"restore a copy|start a new job"), JobStore.open(bench.path) as store:
        store.check()


def test_a_newer_ragctxs_job_is_left_alone(bench):
    bench.open().close()
    connection = sqlite3.connect(bench.path)
    connection.execute("INSERT INTO migrations VALUES ('0099-future')")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match=r"0099-future.*upgrade"):
        JobStore.open(bench.path)


def test_an_older_ragctxs_job_is_brought_up_to_date(bench, monkeypatch):
    bench.open().close()
    later = (*migrations.MIGRATIONS, ("0002-colour", ("ALTER TABLE rows ADD COLUMN colour TEXT",)))
    monkeypatch.setattr(migrations, "MIGRATIONS", later)
    with JobStore.open(bench.path) as store:
        assert store.query("SELECT colour FROM rows LIMIT 1") == [(None,)]
        assert store.query("SELECT name FROM migrations ORDER BY name") == [("0001-tables",), ("0002-colour",)]
    JobStore.open(bench.path).close()  # and not twice


def test_two_questions_of_one_id_are_refused(bench):
    with pytest.raises(BadQuestion, match="share an id"):
        bench.open([Question("a", id="x"), Question("b", id="x")])
    assert not bench.path.exists()


def test_no_questions_are_refused(bench):
    with pytest.raises(BadQuestion, match="at least one"):
        JobStore.create(bench.path, Plan(()), {})


def test_a_plan_for_other_questions_is_refused(bench):
    with pytest.raises(ConfigError, match="other questions"):
        JobStore.create(bench.path, bench.plan(bench.questions(2)), {}, bench.questions(3))


def test_a_folder_that_is_not_there_is_told(bench):
    with pytest.raises(ConfigError, match="no folder"):
        JobStore.create(bench.folder / "nowhere" / "job.sqlite", bench.plan(bench.questions()), {})


@pytest.mark.parametrize(
    "configuration",
    [
        {"reader": {"api_key": "sk-123"}},
        {"headers": [{"Authorization": "Bearer abc"}]},
        {"url": "http://me:hunter2@host/v1"},
        {"HF_TOKEN": "x"},
    ],
)
def test_secrets_never_reach_the_file(bench, configuration):
    with pytest.raises(ConfigError, match="secrets"):
        JobStore.create(bench.path, bench.plan(bench.questions()), configuration)
    assert not bench.path.exists()


def test_settings_that_only_look_like_secrets_are_kept(bench):
    configuration = {"reader": "openai:m@http://localhost:8000/v1", "max_tokens": 20, "api_key": ""}
    with JobStore.create(bench.path, bench.plan(bench.questions()), configuration) as store:
        assert store.configuration == configuration


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"configuration": {"reader": "other", "budget": None}}, 'reader was "scripted" and is "other"'),
        ({"configuration": {"reader": "scripted"}}, None),  # a key that is not there is the null it was
        ({"configuration": {"reader": "scripted", "budget": None, "lambda": 0.1}}, "lambda was null and is 0.1"),
        ({"manifest": "corpus-2"}, "documents changed"),
    ],
)
def test_other_settings_or_documents_are_refused(bench, change, match):
    bench.open().close()
    changed = replace(bench, **change)
    if match is None:
        changed.open().close()
        return
    with pytest.raises(ConfigError, match=match):
        changed.open()


def test_other_questions_are_refused_by_name(bench):
    questions = bench.questions()
    bench.open(questions).close()
    with pytest.raises(ConfigError, match="q00 is changed"):
        bench.open([replace(questions[0], text="Something else?"), *questions[1:]])
    with pytest.raises(ConfigError, match="q11 is missing"):
        bench.open(questions[:-1])
    with pytest.raises(ConfigError, match="q99 is new"):
        bench.open([*questions, Question("More?", id="q99")])


def test_labels_for_reports_may_change(bench):
    questions = bench.questions()
    bench.open(questions).close()
    bench.open([replace(question, answers=("gold",), kind="fact") for question in reversed(questions)]).close()


def test_a_plan_is_made_once(bench):
    made = []

    def plan() -> Plan:
        made.append(1)
        return bench.plan(bench.questions())

    for _ in range(2):
        from ragctx.batch import open_job

        open_job(bench.path, questions=bench.questions(), configuration={}, manifest="", plan=plan).close()
    assert made == [1]


class Period(BaseModel):
    months: int


def test_an_answer_type_is_given_back_by_its_caller(bench):
    question = Question("How long?", id="a", answer_type=Period)
    with bench.open([question]) as store:
        assert store.pending()[0].question.answer_type is Period
    with JobStore.open(bench.path) as store:
        with pytest.raises(ConfigError, match="answer_type"):
            store.pending()
        with pytest.raises(ConfigError, match="answer_type"):
            store.questions()


def test_a_changed_answer_type_is_another_question(bench):
    class Changed(BaseModel):
        weeks: int

    bench.open([Question("How long?", id="a", answer_type=Period)]).close()
    with pytest.raises(ConfigError, match="a is changed"):
        bench.open([Question("How long?", id="a", answer_type=Changed)])


def test_two_runs_of_one_job_exclude_each_other(bench):
    with bench.open() as store, bench.open() as other, store.lock():
        with pytest.raises(StoreLocked, match=r"process \d+"), other.lock():
            pytest.fail("locked twice")
        assert status(other).total == 12  # looking is allowed
        with pytest.raises(StoreLocked):
            other.retry_failed()


def test_a_lock_left_by_a_dead_process_is_no_lock(bench):
    bench.folder.joinpath("job.sqlite.lock").write_text("12345")
    with bench.open() as store, store.lock():
        assert bench.folder.joinpath("job.sqlite.lock").read_text() != "12345"


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: bool(text.strip()))


@given(
    text=texts, instructions=st.text(st.characters(exclude_categories=["Cs"])), seconds=st.floats(0, allow_nan=False)
)
def test_any_question_survives_the_file(text, instructions, seconds):
    question = Question(text, instructions=instructions, budget=Budget(seconds=seconds))
    again, typed = read_question(question_json(question))
    assert (again, typed) == (question, False)
    assert question_hash(again) == question_hash(question)


def test_a_broken_character_is_refused():
    with pytest.raises(BadQuestion, match="UTF-8"):
        question_json(Question("lone \ud800 surrogate"))


@given(st.lists(st.tuples(st.text(), st.text(), st.text(), st.text()), min_size=2, max_size=2, unique=True))
def test_row_keys_tell_everything_apart(pair):
    assert row_key(*pair[0]) != row_key(*pair[1])
