"""`vllm serve` with the plug-in as a server on loopback, asked by our own reader of endpoints; and without it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
    "VLLM_LOGGING_LEVEL": "INFO",
}
POLICY = {"rule": "streaming", "gate": 256, "sinks": 64, "local": 128, "dense_layers": 1}


def _port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture
def server(checkpoint, tmp_path):
    """A running server: its address, the file of its counts and its process, which must end when told to."""
    report, port = tmp_path / "counts.json", _port()
    options = {"ragctx": {"sparse": POLICY, "threads": 1, "report": str(report)}}
    command = [
        str(Path(sys.executable).parent / "vllm"), "serve", str(checkpoint), "--host", "127.0.0.1",
        "--port", str(port), "--served-model-name", "tiny", "--dtype", "float32", "--enforce-eager",
        "--max-model-len", "4000", "--kv-cache-memory-bytes", str(1 << 26), "--max-num-seqs", "4",
        "--max-num-batched-tokens", "512", "--additional-config", json.dumps(options),
    ]  # fmt: skip
    log = (tmp_path / "log").open("w")
    process = subprocess.Popen(
        command, stdout=log, stderr=subprocess.STDOUT, env=os.environ | ENVIRONMENT, start_new_session=True
    )
    try:
        _ready(port, process, tmp_path / "log")
        yield f"http://127.0.0.1:{port}", report, process
    finally:
        _end(process)
        log.close()


def _ready(port, process, log, seconds=540):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    pytest.fail(f"the server was not ready in {seconds} seconds: {log.read_text()[-3000:]}")


def _end(process):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def test_a_server_attends_sparsely_and_ends_when_told(server, ask, prompt, reader, answer):
    import asyncio

    from ragctx.readers import open_model

    address, report, process = server
    asked = ask(prompt(1200), logprobs=False, ignore_end=False)
    endpoint = open_model(f"openai:tiny@{address}/v1", window=4000)
    reply = asyncio.run(_called(endpoint, asked))
    counts = _told(report)
    assert counts["layers"] == 3
    assert counts["sparse"] > 0
    assert counts["density"] < 0.9
    reader.attend(POLICY)
    [own] = answer(asked)
    assert (reply.text, reply.prompt_tokens) == (own.text, own.prompt_tokens)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) in (0, -signal.SIGTERM)


async def _called(endpoint, asked):
    return await endpoint.call(asked, lambda text: None)


def _told(report, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if report.exists() and json.loads(report.read_text())["sparse"]:
            break
        time.sleep(0.2)
    return json.loads(report.read_text())


def test_without_the_plug_in_the_check_fails_loudly(checkpoint):
    script = f"""
from vllm import LLM
from ragctx.attention.vllm import check
from ragctx.errors import ConfigError
llm = LLM({str(checkpoint)!r}, dtype="float32", max_model_len=1000, kv_cache_memory_bytes=1 << 26, enforce_eager=True,
          additional_config={{"ragctx": {{"sparse": "auto"}}}})
try:
    llm.apply_model(check.layers)
except ConfigError as loud:
    print("told:", loud)
"""
    environment = os.environ | ENVIRONMENT | {"VLLM_PLUGINS": "none", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=540)
    assert "told: 3 of 3 attention layers" in done.stdout, done.stderr[-3000:]
    assert "CPUAttentionBackend" in done.stdout
    assert "make install-vllm" in done.stdout


def test_sliding_windows_stay_dense_with_a_reason(make_checkpoint, opened, ask, prompt):
    folder = make_checkpoint("Mistral", sliding_window=256)
    reader = opened(folder, sparse=POLICY, dense="own", dtype="float32", chunk=512)
    [reply] = reader.serve([ask(prompt(600))], lambda i, text: None)
    assert reply.output_tokens == 12
    assert set(reader.counts.dense) == {"a sliding window"}
    assert reader.counts.sparse == reader.counts.own == 0
    assert reader.note == "a sliding window"
