"""Settings from flags, environment and file; what is unknown is refused with a suggestion."""

from __future__ import annotations

import pytest

from ragctx.cli.merging import settings
from ragctx.errors import ConfigError, UnknownName


def test_flags_over_environment_over_file(tmp_path, monkeypatch):
    (tmp_path / "ragctx.toml").write_text('reader = "local:file"\nbudget = 1\nlambda = 0.5\n')
    monkeypatch.setenv("RAGCTX_READER", "local:environment")
    monkeypatch.setenv("RAGCTX_BUDGET", "2")
    found = settings(budget=3)
    assert (found.reader, found.budget, found.lam) == ("local:environment", 3, 0.5)


def test_every_kind_of_value_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("RAGCTX_DOCUMENTS", "one:two")
    monkeypatch.setenv("RAGCTX_STRATEGIES", "full, retrieve")
    monkeypatch.setenv("RAGCTX_OPTIONS", '{"timeout": 5}')
    monkeypatch.setenv("RAGCTX_REPLY_CACHE", "false")
    monkeypatch.setenv("RAGCTX_LAMBDA", "0.2")
    found = settings(option=["window=100"])
    assert found.documents == ("one", "two")
    assert found.strategies == ("full", "retrieve")
    assert found.options == {"timeout": 5, "window": 100}
    assert (found.reply_cache, found.lam) == (False, 0.2)


def test_paths_in_a_file_are_seen_from_its_folder(tmp_path):
    (tmp_path / "project").mkdir()
    file = tmp_path / "project" / "mine.toml"
    file.write_text('documents = ["docs", "/else"]\npolicy = "p.toml"\n')
    found = settings(file)
    assert found.documents == (str(tmp_path / "project" / "docs"), "/else")
    assert found.policy == str(tmp_path / "project" / "p.toml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bugdet = 5", "did you mean 'budget'"),
        ("[prices]\nprompt = 1\nouptut = 2", "did you mean 'prices.output'"),
        ("budget = 'many'", "setting 'budget'"),
        ("budget = 0", "setting 'budget'"),
        ("lambda = -1", "setting 'lambda'"),
        ("documents = 5", "setting 'documents'"),
        ("budget = = 5", "is not TOML"),
        ("[options]\ntimeout = [1]", "options.timeout"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, text, told):
    (tmp_path / "ragctx.toml").write_text(text)
    with pytest.raises(ConfigError, match=r".") as refused:
        settings()
    assert told in str(refused.value)


def test_a_file_in_another_encoding_and_a_missing_one(tmp_path):
    (tmp_path / "latin.toml").write_bytes('reader = "é"'.encode("latin-1"))
    with pytest.raises(ConfigError, match="UTF-8"):
        settings(tmp_path / "latin.toml")
    with pytest.raises(ConfigError, match="check the path"):
        settings(tmp_path / "none.toml")


def test_an_unknown_variable_is_told_the_nearest(monkeypatch):
    monkeypatch.setenv("RAGCTX_BUGDET", "5")
    with pytest.raises(UnknownName, match="did you mean 'RAGCTX_BUDGET'"):
        settings()


def test_a_variable_that_is_no_json(monkeypatch):
    monkeypatch.setenv("RAGCTX_OPTIONS", "timeout=5")
    with pytest.raises(ConfigError, match="JSON object"):
        settings()


def test_an_option_needs_a_value():
    with pytest.raises(ConfigError, match="NAME=VALUE"):
        settings(option=["timeout"])


def test_a_job_freezes_what_answers_depend_on_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    (tmp_path / "s.toml").touch()
    options = ["window=100", "timeout=5", "api_key=secret"]
    frozen = settings(documents=["docs"], reader="scripted:s.toml", attempts=2, option=options).frozen()
    assert frozen["documents"] == [str(tmp_path / "docs")]
    assert frozen["reader"] == f"scripted:{tmp_path / 's.toml'}"
    assert frozen["options"] == {"window": 100}
    assert frozen["encoder_options"] == {}
    assert "attempts" not in frozen
    assert "secret" not in str(frozen)


def test_options_of_the_encoder_from_flag_and_file(tmp_path):
    (tmp_path / "ragctx.toml").write_text("[encoder_options]\nlength = 512\ntemperature = 0.9\n")
    found = settings(tmp_path / "ragctx.toml", encoder_option=["length=1024", "threads=2"])
    assert found.encoder_options == {"length": 1024, "temperature": 0.9, "threads": 2}
    assert found.options == {}
    assert found.frozen()["encoder_options"] == {"length": 1024, "temperature": 0.9}
    with pytest.raises(ConfigError, match=r"--encoder-option 'length' is no NAME=VALUE"):
        settings(encoder_option=["length"])
