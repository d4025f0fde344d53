"""A full disk, folders that cannot be written, and two processes at work on the same documents."""

from __future__ import annotations

import pytest

from ragctx.folders import cache_folder

SMALL_FILES = (
    "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    "resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))"
)


def test_two_processes_index_the_same_folder(process, ragctx, documents):
    for n in range(300):
        (documents / f"clause-{n}.txt").write_text(f"Clause {n} says that item {n} costs {n} crowns. " * 20)
    running = [process("index", "-d", documents, "--json") for _ in range(3)]
    results = [(p.communicate(timeout=60), p.returncode) for p in running]
    codes = [code for _, code in results]
    assert set(codes) <= {0, 6}, results
    assert 0 in codes
    for (_, err), code in results:
        assert code == 0 or "another process" in err.lower() or "locked" in err.lower()
    done = ragctx("index", "-d", documents, "--json")
    assert (done.code, done.json["documents"]) == (0, 302)


@pytest.mark.parametrize("limit", [0, 20_000])
def test_a_full_disk_while_indexing_loses_nothing(finished, ragctx, documents, reader, limit):
    assert ragctx("index", "-d", documents).code == 0
    for n in range(200):
        (documents / f"clause-{n}.txt").write_text(f"Clause {n} says that item {n} costs {n} crowns. " * 40)
    done = finished("index", "-d", documents, before=SMALL_FILES.format(limit))
    assert done.code == 6, (done.out, done.err)
    assert "free" in done.err
    assert "Traceback" not in done.err
    again = ragctx("index", "-d", documents, "--json")
    assert (again.code, again.json["documents"]) == (0, 202)


def test_a_full_disk_while_a_job_is_written(finished, ragctx, documents, reader, questions):
    rows = questions(*({"id": f"q{n}", "question": f"What does clause {n} say?"} for n in range(60)))
    arguments = ["batch", "run", rows, "-j", "a.sqlite", "-d", documents, "-r", reader()]
    done = finished(*arguments, before=SMALL_FILES.format(150_000))
    assert done.code == 6, (done.out, done.err)
    assert "Traceback" not in done.err
    assert ragctx(*arguments).code == 0
    assert ragctx("batch", "status", "a.sqlite", "--json").json["answered"] == 60


def test_a_cache_folder_that_is_a_file(ragctx, documents, reader, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("RAGCTX_CACHE", str(tmp_path / "file"))
    done = ragctx("ask", "q", "-d", documents, "-r", reader())
    assert done.code in {3, 6}
    assert str(tmp_path / "file") in done.err
    assert "fault of ragctx" not in done.err


def test_a_damaged_store_is_built_anew(ragctx, documents, reader):
    assert ragctx("ask", "What is the notice period?", "-d", documents, "-r", reader()).code == 0
    for path in cache_folder("corpora").rglob("*"):
        if path.is_file() and path.stat().st_size:
            path.write_bytes(b"\0garbage" * 10)
    done = ragctx("ask", "What is the notice period?", "-d", documents, "-r", reader(), "--json")
    assert done.code in {0, 6}, done.err
    assert "fault of ragctx" not in done.err
    if done.code == 6:
        assert "ragctx" in done.err or "delete" in done.err
