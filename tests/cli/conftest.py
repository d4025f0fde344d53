"""Commands run as a user runs them: over real files, against scripted readers and a real HTTP server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ragctx.cli.app import run as run_command_line

LEASE = """# Lease of the boat house

The notice period is three months. The deposit is 900 crowns, held by Fenmark Bank.

Rent is due on the first day of each month. Pets are allowed on the upper floor only.
"""
POLICY = """Travel policy.

A hotel room may cost up to 140 crowns a night. Taxis need a receipt.
"""


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Every test has a working folder of its own and a terminal of 80 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("RAGCTX_ENCODER", "none")
    monkeypatch.setenv("RAGCTX_RANKER", "none")
    monkeypatch.setenv("RAGCTX_READER", "scripted:echo")  # indexing unpacks the default, which takes half a minute


@pytest.fixture
def documents(tmp_path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "lease.md").write_text(LEASE, encoding="utf-8")
    (folder / "policy.txt").write_text(POLICY, encoding="utf-8")
    return folder


@pytest.fixture
def reader(tmp_path):
    """Writes a script and gives the reader's name."""

    def write(text: str = 'default = "Three months. [1]"\nwindow = 8192\n', name: str = "script.toml") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return f"scripted:{tmp_path / name}"

    return write


@pytest.fixture
def questions(tmp_path):
    def write(*rows: object, name: str = "questions.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return path

    return write


@pytest.fixture
def ragctx(capsys):
    """Runs a command in this process."""

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        code = run_command_line([str(argument) for argument in arguments])
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def process(tmp_path):
    """Starts a command as a process of its own."""

    def start(*arguments: object, before: str = "", **environment: str) -> subprocess.Popen[str]:
        script = f"{before}\nimport sys; sys.argv[0] = 'ragctx'\nfrom ragctx.cli import main; main()"
        return subprocess.Popen(
            [sys.executable, "-c", script, *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def finished(process):
    """Runs a command as a process of its own, to its end."""

    def run(*arguments: object, seconds: float = 60, **options: str) -> Done:
        with process(*arguments, **options) as started:
            out, err = started.communicate(timeout=seconds)
        return Done(started.returncode, out, err)

    return run


def completion(text: str = "Three months. [1]", **changes: object) -> dict[str, object]:
    """What an OpenAI-compatible server answers."""
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 50, "completion_tokens": 5, "total_tokens": 55},
        **changes,
    }


class Endpoint:
    """A real HTTP server on this machine that misbehaves as it is told.

    Attributes:
        status, body, seconds, cut: of every answer to a chat completion; `body` None streams or gives a good one.
        failures: so many calls are answered with 500 first. calls: chat completions asked for.
    """

    def __init__(self) -> None:
        self.status, self.body, self.seconds, self.cut, self.text = 200, None, 0.0, False, "Three months. [1]"
        self.calls = self.failures = 0
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                data = {"object": "list", "data": [{"id": "m", "object": "model", "max_model_len": 8192}]}
                self._send(200, json.dumps(data).encode(), "application/json")

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                endpoint.calls += 1
                time.sleep(endpoint.seconds)
                if endpoint.calls <= endpoint.failures:
                    return self._send(500, b'{"error": {"message": "warming up"}}', "application/json")
                if endpoint.body is not None or endpoint.status != 200:
                    body = endpoint.body if endpoint.body is not None else b'{"error": {"message": "not now"}}'
                    return self._send(endpoint.status, body, "application/json")
                if asked.get("stream"):
                    return self._send(200, stream_of(endpoint.text), "text/event-stream")
                return self._send(200, json.dumps(completion(endpoint.text)).encode(), "application/json")

            def _send(self, status, body, kind):
                try:
                    self.send_response(status)
                    self.send_header("content-type", kind)
                    self.send_header("content-length", str(len(body) * (2 if endpoint.cut else 1)))
                    self.end_headers()
                    self.wfile.write(body)
                    self.wfile.flush()
                    self.close_connection = True
                except OSError:
                    pass  # the client has hung up

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.reader = f"openai:m@http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def stream_of(text: str) -> bytes:
    shared = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m"}
    pieces = [
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 50, "completion_tokens": 5, "total_tokens": 55}},
    ]
    events = [json.dumps(shared | piece) for piece in pieces] + ["[DONE]"]
    return "".join(f"data: {event}\n\n" for event in events).encode()


@pytest.fixture
def endpoint():
    made = Endpoint()
    yield made
    made.close()
