"""`ragctx probe` as a user runs it: planned, measured, shown, used by the next plan, forgotten."""

from __future__ import annotations

import json
import signal
import time

import pytest

SILENT = 'default = "The documents do not say."\nwindow = 2000\n'
PRICED = SILENT + "[prices]\nprompt = 1.0\noutput = 2.0\n"


@pytest.fixture
def probe(ragctx, reader):
    def run(*more, script=SILENT):
        return ragctx("probe", reader(script), "--shortest", "500", "--prompts", "2", *more)

    return run


@pytest.fixture
def knowing(reader):
    """A script that answers every prompt of the battery up to the longest length, found by asking the battery."""
    from ragctx.evaluation.battery import Battery
    from ragctx.models import ModelFacts
    from ragctx.readers.script import WordCounter

    facts = ModelFacts("m", WordCounter(), window=2000)
    rules = []
    for length in (500, 1000):
        for task in Battery((length,), prompts=2).tasks(length, facts):
            text = task.messages[-1].content
            rules.append(f"[[rule]]\nmatch = {json.dumps(text)}\nreply = {json.dumps(task.question.answers[0])}\n")
    return 'default = "The documents do not say."\nwindow = 2000\n' + "".join(rules)


def test_what_was_measured_is_shown_kept_and_used(probe, ragctx, reader, knowing, documents, questions):
    done = probe("--json", script=knowing)
    assert done.code == 0, done.err
    assert (done.json["tokens"], done.json["at_least"]) == (1000, False)
    assert done.json["scores"] == [[500, 1.0], [1000, 1.0], [2000, 0.0]]
    assert (done.json["usage"]["calls"], done.json["usage"]["money"]) == (6, None)
    assert "at most 6 calls" in done.err
    assert "1,000 tokens: 2 of 2 right" in done.err
    told = " ".join(ragctx("doctor", "-r", reader(knowing)).out.split())
    assert "effective window 1,000, measured 20" in told
    assert ragctx("cache", "info", "--json").json["parts"]["windows"]["files"] >= 1
    asked = questions({"question": "How long is the notice period?"})
    plan = ragctx("plan", asked, "-d", documents, "-r", reader(knowing), "--scorer", "none", "--json").json
    signals = plan["rows"][0]["decision"]["signals"]
    assert (signals["effective_window"], signals["effective_measured"], signals["window"]) == (1000, 1, 2000)
    assert signals["effective_ratio"] == pytest.approx(2 * signals["window_ratio"], abs=1e-3)


def test_asked_again_it_costs_nothing_and_forgotten_it_is_gone(probe, ragctx, reader, knowing):
    first = probe("--json", script=knowing).json
    again = probe("--json", script=knowing).json
    assert (again["usage"]["calls"], again["usage"]["replayed"]) == (0, 6)
    assert again["scores"] == first["scores"]
    gone = ragctx("probe", reader(knowing), "--forget")
    assert gone.code == 0
    assert "forgotten" in gone.out
    assert "effective window not measured" in " ".join(ragctx("doctor", "-r", reader(knowing)).out.split())
    assert ragctx("probe", reader(knowing), "--forget", "--json").json["forgotten"] is False


def test_the_report_for_people(probe, knowing):
    done = probe(script=knowing)
    assert done.code == 0, done.err
    told = " ".join(done.out.split())
    assert "effective window: 1,000 tokens; at 2,000 it scores 0.00, under 0.8 of its 1.00 at 500" in told
    assert "spent" in told
    assert max(map(len, done.out.splitlines())) <= 80
    silent = probe()
    assert silent.code == 0
    assert "cannot be told: 0 of 2 were right at 500 tokens" in " ".join(silent.out.split())


def test_a_plan_is_free(probe, ragctx):
    done = probe("--plan", "--json")
    assert done.code == 0, done.err
    assert done.json["lengths"] == [500, 1000, 2000]
    assert done.json["estimate"]["lines"][0]["calls"]["high"] == 6
    assert "windows" not in ragctx("cache", "info", "--json").json["parts"]
    assert "2 prompts at each of 500, 1,000, 2,000 tokens" in " ".join(probe("--plan").out.split())


def test_money_is_agreed_on_first(probe, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    refused = probe(script=PRICED)
    assert refused.code == 2
    assert "--max-cost, or agree with --yes" in refused.err
    over = probe("--max-cost", "0.0001", script=PRICED)
    assert over.code == 4
    assert "lower --most or --prompts" in over.err
    for agreed in (("--yes",), ("--max-cost", "1")):
        done = probe(*agreed, "--json", script=PRICED)
        assert done.code == 0, done.err
    assert probe("--max-cost", "1").code == 2  # no price to hold it against


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (("scriptet:x",), 2, "did you mean 'scripted'"),
    (("scripted:none.toml",), 2, "none.toml"),
    (("scripted:echo",), 2, "--most TOKENS"),
    (("scripted:echo", "-o", "window=600"), 2, "--shortest 400"),
    (("scripted:echo", "-o", "window=600", "--most", "700"), 2, "more than"),
    (("scripted:echo", "--most", "90", "--shortest", "90"), 2, "leave no room"),
])  # fmt: skip
def test_what_cannot_be_probed(ragctx, arguments, code, said):
    done = ragctx("probe", *arguments)
    assert done.code == code, done.err
    assert said in done.err


def test_a_server_that_is_down_ends_it_and_keeps_what_was_answered(ragctx, endpoint):
    endpoint.status = 500
    endpoint.body = b"down"
    sized = ("--shortest", "500", "--most", "1000", "--prompts", "2", "--attempts", "1")
    done = ragctx("probe", endpoint.reader, *sized)
    assert done.code == 5
    assert "2 of 2 prompts of 500 tokens failed" in " ".join(done.err.split())
    assert "run the same command again" in " ".join(done.err.split())
    endpoint.status, endpoint.body = 200, None
    assert ragctx("probe", endpoint.reader, *sized).code == 0


def test_stopped_by_hand_it_says_how_to_go_on(process, ragctx, tmp_path):
    script = tmp_path / "slow.toml"
    script.write_text(
        'default = "No."\nwindow = 2000\n[[rule]]\nmatch = "registry"\nreply = "No."\ndelay = 30\n', "utf-8"
    )
    with process("probe", f"scripted:{script}", "--shortest", "500", "--prompts", "2") as started:
        assert "at most 6 calls" in started.stderr.readline()
        time.sleep(0.5)
        started.send_signal(signal.SIGINT)
        _, err = started.communicate(timeout=20)
    assert started.returncode == 130, err
    assert "run the same command again and it goes on" in " ".join(err.split())
