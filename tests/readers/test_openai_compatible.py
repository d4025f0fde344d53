"""A real HTTP server on 127.0.0.1 that behaves, and misbehaves in every way an endpoint can."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ragctx.errors import ConfigError
from ragctx.readers import open_model
from ragctx.work import Completion, Failure, Generate, Message, Sampling, Score

KEY = "sk-very-secret-123"
USAGE = {"prompt_tokens": 21, "completion_tokens": 4, "total_tokens": 25,
         "prompt_tokens_details": {"cached_tokens": 16}}  # fmt: skip


def completion(text="Three months.", finish="stop", usage=USAGE, logprobs=None):
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": logprobs}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def chunk(text=None, finish=None, usage=None, choices=True):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [choice] if choices else [], "usage": usage}  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, status, body, kind="application/json", **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(headers.pop("length", len(data))))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        models = [{"id": "good", "object": "model", "created": 1, "owned_by": "x", "max_model_len": 4096},
                  {"id": "silent", "object": "model", "created": 1, "owned_by": "x"}]  # fmt: skip
        self.send(200, {"object": "list", "data": models})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.server.open.append(self.connection)
        getattr(self, "on_" + body["model"].replace("-", "_"))(body)

    def on_good(self, body):
        if not body.get("stream"):
            tokens = [{"token": "x", "logprob": -0.5, "bytes": None, "top_logprobs": []}] * 4
            self.send(200, completion(logprobs={"content": tokens} if body.get("logprobs") else None))
            return
        self.events(chunk("Thr"), chunk("ee é"), chunk(None, "stop"), chunk(usage=USAGE, choices=False))

    def events(self, *chunks, done=True):
        data = b"".join(b"data: " + json.dumps(c).encode() + b"\n\n" for c in chunks)
        self.send(200, data + (b"data: [DONE]\n\n" if done else b""), "text/event-stream")

    def on_nulls(self, body):
        usage = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9, "prompt_tokens_details": None}
        self.events(chunk("ok", "stop"), chunk(usage=usage, choices=False)) if body.get("stream") else self.send(
            200, completion(usage=usage)
        )

    def on_no_usage(self, body):
        self.send(200, completion(usage=None))

    def on_limited(self, body):
        self.send(429, {"error": {"message": "slow down"}}, retry_after="7")

    def on_broken(self, body):
        self.send(500, {"error": {"message": f"it broke, key {KEY}"}})

    def on_unauthorised(self, body):
        self.send(401, {"error": {"message": f"bad key {KEY}"}})

    def on_forbidden(self, body):
        self.send(403, {"error": {"message": "no"}})

    def on_missing(self, body):
        self.send(404, {"error": {"message": "no such model"}})

    def on_odd(self, body):
        self.send(418, {"error": {"message": "teapot"}})

    def on_long(self, body):
        self.send(400, {"error": {"message": "This model's maximum context length is 4096 tokens."}})

    def on_cut_json(self, body):
        self.send(200, json.dumps(completion()).encode()[:60])

    def on_cut_body(self, body):
        self.send(200, json.dumps(completion()).encode()[:60], length=500)
        self.close_connection = True

    def on_wrong_json(self, body):
        self.send(200, {"hello": ["world"]})

    def on_no_choices(self, body):
        self.send(200, completion() | {"choices": []})

    def on_html(self, body):
        self.send(200, b"<html>proxy</html>", "text/html")

    def on_empty(self, body):
        self.events(chunk("", "stop")) if body.get("stream") else self.send(200, completion(text=None))

    def on_tool(self, body):
        self.events(chunk(None, "tool_calls"), chunk(usage=USAGE, choices=False)) if body.get("stream") else self.send(
            200, completion(text=None, finish="tool_calls")
        )

    def on_filtered(self, body):
        self.send(200, completion(text="", finish="content_filter"))

    def on_cut_stream(self, body):
        self.events(chunk("Thr"), chunk("ee"), done=False)

    def on_hung_up(self, body):
        data = b"data: " + json.dumps(chunk("Thr")).encode() + b"\n\n"
        self.send(200, data, "text/event-stream", length=5000)
        self.close_connection = True

    def on_hangs(self, body):
        self.server.stop.wait(20)
        self.close_connection = True

    def on_trickles(self, body):
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        for _ in range(100):
            if self.server.stop.wait(0.05):
                break
            try:
                self.wfile.write(b" ")
                self.wfile.flush()
            except OSError:
                break
        self.close_connection = True


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


@pytest.fixture
def server():
    found = Server(("127.0.0.1", 0), Handler)
    found.seen, found.open, found.stop = [], [], threading.Event()
    thread = threading.Thread(target=found.serve_forever, args=(0.01,))
    thread.start()
    yield found
    found.stop.set()
    found.shutdown()
    thread.join()
    found.server_close()


def opened(server, model="good", **options):
    url = f"http://127.0.0.1:{server.server_port}/v1"
    return open_model(f"openai:{model}@{url}", **({"api_key": KEY, "timeout": 5} | options))


def request(**options):
    sampling = options.pop("sampling", Sampling(max_tokens=9, seed=4, sample=2, stop=("END",)))
    return Generate((Message("system", "Be brief."), Message("user", "How long?")), sampling=sampling, **options)


def answered(reader, ask):
    pieces = []

    async def go():
        try:
            return await reader.call(ask, pieces.append)
        finally:
            await reader.close()

    return asyncio.run(go()), pieces


def test_a_whole_answer_with_its_usage(server):
    reader = opened(server)
    reply, pieces = answered(reader, request())
    assert (reply.text, reply.prompt_tokens, reply.output_tokens, reply.cached_tokens) == ("Three months.", 21, 4, 16)
    assert reply.exact
    assert reply.finish == "stop"
    assert pieces == []
    headers, body = server.seen[0]
    assert headers["authorization"] == f"Bearer {KEY}"
    assert body["max_tokens"] == 9
    assert body["seed"] == 6
    assert body["stop"] == ["END"]
    assert body["temperature"] == 0.0
    assert [m["role"] for m in body["messages"]] == ["system", "user"]
    assert reader.facts.window == 4096


def test_the_final_answer_streams(server):
    reply, pieces = answered(opened(server), request(final=True))
    assert pieces == ["Thr", "ee é"]
    assert reply.text == "Three é"
    assert (reply.prompt_tokens, reply.cached_tokens, reply.exact) == (21, 16, True)
    assert server.seen[0][1]["stream_options"] == {"include_usage": True}


def test_schema_logprobs_and_ignoring_the_end(server):
    schema = '{"type":"object","properties":{"months":{"type":"integer"}}}'
    sampling = Sampling(max_tokens=3, logprobs=True, ignore_end=True)
    reply, _ = answered(opened(server), request(schema=schema, sampling=sampling))
    assert reply.logprobs == (-0.5,) * 4
    body = server.seen[0][1]
    wanted = body["response_format"]["json_schema"]
    assert wanted["strict"] is True
    assert wanted["schema"] == json.loads(schema) | {"required": ["months"], "additionalProperties": False}
    assert body["ignore_eos"] is True


def test_a_schema_without_a_strict_form_is_sent_as_it_is(server):
    schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    answered(opened(server), request(schema=json.dumps(schema)))
    assert server.seen[0][1]["response_format"]["json_schema"] == {"name": "answer", "schema": schema, "strict": False}


@pytest.mark.parametrize("omit", ["temperature, top_p", ("temperature", "top_p"), ["top_p", "temperature"]])
def test_what_a_model_refuses_is_left_out(server, omit):
    answered(opened(server, omit=omit), request())
    body = server.seen[0][1]
    assert not {"temperature", "top_p"} & body.keys()
    assert body["max_tokens"] == 9


def test_usage_of_a_stream_may_be_left_out(server):
    answered(opened(server, omit="stream_options"), request(final=True))
    assert "stream_options" not in server.seen[0][1]


@pytest.mark.parametrize("omit", ["temprature", ("temperature", "model"), "messages"])
def test_leaving_out_what_is_not_sent_is_refused(omit):
    with pytest.raises(ConfigError, match="omit names"):
        open_model("openai:m@http://127.0.0.1:9/v1", window=9, omit=omit)


@pytest.mark.parametrize("final", [False, True])
def test_null_usage_fields(server, final):
    reply, _ = answered(opened(server, "nulls"), request(final=final))
    assert (reply.prompt_tokens, reply.output_tokens, reply.cached_tokens, reply.exact) == (7, 2, 0, True)


def test_absent_usage_is_estimated_and_says_so(server):
    reply, _ = answered(opened(server, "no-usage"), request())
    assert not reply.exact
    assert reply.prompt_tokens > 5


@pytest.mark.parametrize(
    ("model", "final", "kind"),
    [
        ("limited", False, "rate_limit"), ("broken", False, "server"), ("unauthorised", False, "unauthorised"),
        ("forbidden", False, "unauthorised"), ("missing", False, "bad_request"), ("odd", False, "bad_request"),
        ("long", False, "too_long"), ("cut-json", False, "malformed"), ("cut-body", False, "malformed"),
        ("wrong-json", False, "malformed"), ("no-choices", False, "malformed"), ("html", False, "malformed"),
        ("empty", False, "empty"), ("empty", True, "empty"), ("tool", False, "empty"), ("tool", True, "empty"),
        ("filtered", False, "bad_request"), ("cut-stream", True, "malformed"),
        ("hung-up", True, "malformed"), ("wrong-json", True, "malformed"), ("html", True, "malformed"),
        ("limited", True, "rate_limit"),
    ],
)  # fmt: skip
def test_every_misbehaviour_is_a_failure_of_its_kind(server, model, final, kind):
    reply, _ = answered(opened(server, model), request(final=final))
    assert isinstance(reply, Failure)
    assert reply.kind == kind, reply
    assert f"127.0.0.1:{server.server_port}" in reply.message
    assert KEY not in reply.message
    assert len(server.seen) == 1  # never retried here
    assert reply.retry_after == (7.0 if model == "limited" else None)


def test_an_empty_answer_is_billed(server):
    reply, _ = answered(opened(server, "tool"), request())
    assert (reply.prompt_tokens, reply.output_tokens) == (21, 4)


@pytest.mark.parametrize("model", ["hangs", "trickles"])
def test_hanging_ends_at_the_timeout(server, model):
    started = time.perf_counter()
    reply, _ = answered(opened(server, model, timeout=0.4), request())
    assert reply.kind == "timeout"
    assert time.perf_counter() - started < 3


def test_a_refused_connection_leaves_the_plan_possible_and_fails_the_call():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    reader = open_model(f"openai:m@http://127.0.0.1:{port}/v1", connect=0.5)
    assert reader.facts.window is None
    assert "window=" in reader.note
    reply, _ = answered(reader, request())
    assert reply.kind == "refused"
    assert "start the server" in reply.message


def test_a_server_that_does_not_tell_its_window(server):
    reader = opened(server, "silent")
    assert reader.facts.window is None
    assert "does not tell" in reader.note
    assert opened(server, "silent", window=99).facts.window == 99


def test_two_loops_one_after_the_other(server):
    reader = opened(server)
    assert isinstance(answered(reader, request())[0], Completion)
    assert isinstance(answered(reader, request())[0], Completion)


def test_many_calls_at_once(server):
    async def go(reader):
        replies = await asyncio.gather(*(reader.call(request(), lambda text: None) for _ in range(20)))
        await reader.close()
        return replies

    assert all(isinstance(reply, Completion) for reply in asyncio.run(go(opened(server))))


def test_the_key_is_shown_nowhere(server):
    reader = open_model(f"openai:good@http://ann:pw@127.0.0.1:{server.server_port}/v1?k=q", api_key=KEY)
    shown = repr(reader) + repr(reader.facts) + str(reader.facts.identity)
    assert not any(secret in shown for secret in (KEY, "pw", "ann", "k=q"))


def test_other_requests_are_refused(server):
    reply, _ = answered(opened(server), Score("a", "b"))
    assert reply.kind == "bad_request"


def test_exact_counts_from_a_tokenizer_folder(server, checkpoint):
    assert opened(server, tokenizer=str(checkpoint)).facts.counter.exact
    assert not opened(server).facts.counter.exact


@pytest.mark.parametrize("name", ["@http://h/v1", "m@ftp://h", "m@h"])
def test_names_that_name_nothing(name):
    with pytest.raises(ConfigError, match="openai:MODEL@http"):
        open_model(f"openai:{name}")
