"""A real HTTP server that misbehaves: each way ends in one message, or in one error row."""

from __future__ import annotations

import json

import pytest

ONCE = ["--attempts", "1"]
QUICK = ["-o", "timeout=1", "-o", "connect=1", *ONCE]
QUESTION = "What is the notice period?"


def completion(**changes):
    return json.dumps({"id": "c", "object": "chat.completion", "created": 0, "model": "m", **changes}).encode()


def hang(endpoint):
    endpoint.seconds = 30


def too_many(endpoint):
    endpoint.status = 429


def fails(endpoint):
    endpoint.status, endpoint.body = 500, b"<html>oops</html>"


def refuses_key(endpoint):
    endpoint.status = 401


def cut(endpoint):
    endpoint.body, endpoint.cut = b'{"id": "c", "choices": [{"ind', True


def no_json(endpoint):
    endpoint.body = b"<html>Welcome to the proxy</html>"


def other_json(endpoint):
    endpoint.body = b'{"hello": "world"}'


def no_choices(endpoint):
    endpoint.body = completion(choices=[])


def empty(endpoint):
    endpoint.text = ""


WAYS = {
    hang: "timeout",
    too_many: "429",
    fails: "500",
    refuses_key: "OPENAI_API_KEY",
    cut: "OpenAI-compatible",
    no_json: "OpenAI-compatible",
    other_json: "OpenAI-compatible",
    no_choices: "",
    empty: "",
}


def patience(way):
    """A second is enough to be told that nothing comes, and too little for an answer on a busy machine."""
    return QUICK if way is hang else ONCE


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_ask(ragctx, documents, endpoint, way):
    way(endpoint)
    done = ragctx("ask", QUESTION, "-d", documents, "-r", endpoint.reader, *patience(way))
    assert done.code == 5, (done.out, done.err)
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert WAYS[way] in done.err
    assert len(done.err) < 600


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_batch(ragctx, documents, endpoint, questions, way):
    way(endpoint)
    rows = questions({"id": "a", "question": QUESTION}, {"id": "b", "question": "How high is the deposit?"})
    done = ragctx("batch", "run", rows, "-j", "a.sqlite", "-d", documents, "-r", endpoint.reader, *patience(way))
    assert done.code == 7, (done.out, done.err)
    found = ragctx("batch", "status", "a.sqlite", "--json").json
    assert (found["failed"], found["pending"], found["done"]) == (2, 0, 0)
    endpoint.status, endpoint.body, endpoint.seconds, endpoint.cut, endpoint.text = 200, None, 0.0, False, "Three. [1]"
    again = ragctx("batch", "resume", "a.sqlite", "--retry-failed", "-o", "timeout=30", *ONCE)
    assert again.code == 0, (again.out, again.err)


def test_refused_connections(ragctx, documents, questions):
    nobody = "openai:m@http://127.0.0.1:9/v1"
    done = ragctx("ask", QUESTION, "-d", documents, "-r", nobody, *QUICK)
    assert done.code == 5
    assert "cannot connect" in done.err
    planned = ragctx("plan", questions({"question": QUESTION}), "-d", documents, "-r", nobody, "-o", "connect=1")
    assert planned.code == 0  # a plan needs no model; it says what it could not learn
    assert "window" in " ".join(planned.out.split())


def test_a_good_answer(ragctx, documents, endpoint):
    done = ragctx("ask", QUESTION, "-d", documents, "-r", endpoint.reader, *ONCE, "--json")
    assert done.code == 0
    assert done.json["text"] == "Three months."
    assert done.json["usage"]["charges"][0]["prompt"] == 50


def test_a_server_that_recovers(ragctx, documents, endpoint):
    endpoint.failures = 1
    done = ragctx("ask", QUESTION, "-d", documents, "-r", endpoint.reader, "-o", "timeout=30", "--attempts", "2")
    assert done.code == 0
    assert endpoint.calls == 2


def test_the_key_is_never_shown(ragctx, documents, endpoint, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    endpoint.status, endpoint.body = 401, b'{"error": {"message": "bad key sk-very-secret"}}'
    done = ragctx("ask", QUESTION, "-d", documents, "-r", endpoint.reader, *ONCE)
    assert done.code == 5
    assert "sk-very-secret" not in done.err + done.out
