from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from ragctx.corpus import Corpus, files, lock
from ragctx.errors import StoreCorrupt, StoreError, StoreFull, StoreLocked
from ragctx.types import Document


@pytest.fixture
def child():
    """Starts a process that runs some lines after importing what they need."""
    started = []

    def start(code: str, *args: object) -> subprocess.Popen[str]:
        head = "import sys, os\nfrom ragctx.corpus import Corpus\nfrom ragctx.errors import *\n"
        command = [sys.executable, "-c", head + textwrap.dedent(code), *map(str, args)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


INDEX = """
corpus = Corpus.over(sys.argv[1], folder=sys.argv[2], progress=lambda p: print("at", p.done, flush=True))
print("manifest", corpus.manifest, flush=True)
"""


def test_kill_in_the_middle_of_indexing_leaves_the_old_state(write, tmp_path, child, checked):
    folder, place = write({"a.txt": "Old words. " * 50}), tmp_path / "store"
    old = Corpus.over(folder, folder=place)
    write({f"n{i}.txt": f"New words {i}. " * 20_000 for i in range(12)})
    for files_done in (1, 7, 13):
        process = child(
            """
            import time
            def stop(progress, told=[]):
                told.append(progress)
                if len(told) == int(sys.argv[3]):
                    print("there", flush=True)
                    time.sleep(60)
            Corpus.over(sys.argv[1], folder=sys.argv[2], progress=stop)
            """,
            folder,
            place,
            files_done,
        )
        assert process.stdout.readline() == "there\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
        left = Corpus.over(folder=place)
        assert left.manifest == old.manifest
        assert str(left.document("a.txt").text) == "Old words. " * 50
    assert any((place / "segments").glob("*.tmp"))
    new = checked(Corpus.over(folder, folder=place))
    assert len(new.documents) == 13
    assert not list(place.rglob("*.tmp"))


@pytest.mark.slow
def test_kill_at_any_moment_leaves_a_whole_state(write, tmp_path, child, checked):
    rng = random.Random(11)
    folder, place = write({"a.txt": "Words."}), tmp_path / "store"
    Corpus.over(folder, folder=place)
    unfinished = 0
    for turn in range(12):
        known = {document.id for document in Corpus.over(folder=place).documents}
        write({f"n{turn}-{i}.txt": f"New words {turn}, {i}. " * 5_000 for i in range(30)})
        process = child("print('begun', flush=True)\n" + INDEX, folder, place)
        assert process.stdout.readline() == "begun\n"
        time.sleep(rng.uniform(0.0, 0.5))
        process.kill()
        process.wait()
        left = {document.id for document in checked(Corpus.over(folder=place)).documents}
        unfinished += left == known
        assert left == known or len(left) == 31 + 30 * turn
    assert unfinished >= 3


def test_two_processes_at_once_do_the_work_once(write, tmp_path, child):
    folder, place = write({f"{i}.txt": f"Some words {i}. " * 20_000 for i in range(8)}), tmp_path / "store"
    processes = [child(INDEX, folder, place) for _ in range(2)]
    told = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told
    manifests = {out.splitlines()[-1] for out, _ in told}
    assert manifests == {f"manifest {Corpus.over(folder, folder=place).manifest}"}
    assert len(list((place / "segments").iterdir())) == 1
    assert min(out.count("at") for out, _ in told) == 0


def test_who_waits_too_long_is_told_for_whom(write, tmp_path, child, monkeypatch):
    folder, place = write({"a.txt": "Words."}), tmp_path / "store"
    Corpus.over(folder, folder=place)
    process = child(
        """
        from pathlib import Path
        from ragctx.corpus.store import Store
        with Store(Path(sys.argv[1])).changing():
            print("held", flush=True)
            import time
            time.sleep(60)
        """,
        place,
    )
    assert process.stdout.readline() == "held\n"
    monkeypatch.setattr(lock, "WAIT", 0.2)
    assert Corpus.over(folder, folder=place).characters == 6
    write({"b.txt": "More."})
    with pytest.raises(StoreLocked, match=f"process {process.pid} is writing"):
        Corpus.over(folder, folder=place)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert Corpus.over(folder, folder=place).characters == 11


def test_a_full_disk_leaves_the_old_state(write, tmp_path, child):
    folder, place = write({"a.txt": "Old words."}), tmp_path / "store"
    old = Corpus.over(folder, folder=place)
    write({"b.txt": "New words. " * 100_000})
    process = child(
        """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        try:
            Corpus.over(sys.argv[1], folder=sys.argv[2])
        except StoreFull as error:
            print(error)
        """,
        folder,
        place,
    )
    out, err = process.communicate(timeout=60)
    assert "the disk is full" in out, err
    assert "still usable" in out
    assert Corpus.over(folder=place).manifest == old.manifest
    assert not list(place.rglob("*.tmp"))
    assert len(Corpus.over(folder, folder=place).documents) == 2


@pytest.mark.parametrize("after", range(0, 12, 2))
def test_a_disk_that_fills_at_any_step_leaves_the_old_state(write, tmp_path, monkeypatch, after):
    folder, place = write({"a.txt": "Old words."}), tmp_path / "store"
    old = Corpus.over(folder, folder=place)
    write({"b.txt": "New words."})
    new = Corpus.over(folder, folder=tmp_path / "other")
    left = [after]

    def full(path):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files, "settle", full)
        try:
            Corpus.over(folder, folder=place)
        except StoreFull:
            assert Corpus.over(folder=place).manifest in {old.manifest, new.manifest}
    assert "a.txt" in [document.id for document in Corpus.over(folder=place).documents]
    assert len(Corpus.over(folder, folder=place).documents) == 2
    assert not list(place.rglob("*.tmp"))


def test_a_place_that_cannot_be_written_is_said(write, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match="cannot write"):
        Corpus.over(write({"a.txt": "Words."}), folder=tmp_path / "file" / "store")


def test_only_the_owner_can_read_the_store(write, tmp_path):
    from ragctx.models import ModelFacts

    before = os.umask(0o022)
    try:
        corpus = Corpus.over(write({"a.txt": "Words."}), folder=tmp_path / "deep" / "store")
        corpus.tokens(ModelFacts("m"))
        corpus.slot("bm25").replace(lambda folder: [(folder / "x").write_text("x"), (folder / "d").mkdir()])
    finally:
        os.umask(before)
    paths = [tmp_path / "deep", *(tmp_path / "deep").rglob("*")]
    assert len(paths) > 15
    for path in paths:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def damage_pointer(place: Path) -> None:
    (place / "manifest.json").write_text('{"format"')


def damage_format(place: Path) -> None:
    pointer = json.loads((place / "manifest.json").read_text())
    (place / "manifest.json").write_text(json.dumps(pointer | {"format": "0"}))


def damage_catalogue(place: Path) -> None:
    [path] = place.glob("generations/*/catalogue.jsonl")
    path.write_bytes(path.read_bytes().replace(b"a.txt", b"b.txt"))


def damage_columns(place: Path) -> None:
    [path] = place.glob("generations/*/end.npy")
    path.write_bytes(path.read_bytes()[:-3])


def damage_text(place: Path) -> None:
    [path] = place.glob("segments/*/text.bin")
    path.write_bytes(b"")


def damage_all(place: Path) -> None:
    shutil.rmtree(place / "generations")


@pytest.mark.parametrize(
    "damage", [damage_pointer, damage_format, damage_catalogue, damage_columns, damage_text, damage_all]
)
def test_a_damaged_store_is_built_anew_where_its_sources_are_at_hand(write, tmp_path, damage, checked):
    folder, place, note = write({"a.txt": "Words."}), tmp_path / "store", Document("m", "Memory.")
    whole = Corpus.over(folder, note, folder=place)
    damage(place)
    with pytest.raises(StoreCorrupt, match="delete that folder"):
        Corpus.over(folder=place)
    again = checked(Corpus.over(folder, note, folder=place))
    assert again.manifest == whole.manifest
    assert any("built anew" in text for text in again.notes)
    assert Corpus.over(folder, note, folder=place).notes == ()


def test_texts_that_were_only_in_a_damaged_store_are_not_made_up(tmp_path):
    corpus = Corpus.of("Words.", folder=tmp_path / "store")
    damage_pointer(tmp_path / "store")
    with pytest.raises(StoreCorrupt):
        corpus.add(Document("m", "More."))


def test_a_lock_is_let_go_when_its_holder_is_done(tmp_path):
    path = tmp_path / "lock"
    with lock.locked(path):
        other = os.open(path, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert path.read_text() == str(os.getpid())
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


def test_half_written_folders_of_the_living_are_left_alone(tmp_path):
    for name in (f"s1.{os.getpid()}.aa.tmp", "s2.999999999.bb.tmp", "s3"):
        (tmp_path / name).mkdir()
    (tmp_path / "manifest.json.999999999.cc.tmp").write_text("half")
    files.sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"s1.{os.getpid()}.aa.tmp", "s3"]


def test_a_killed_writer_never_shows_half_a_file(tmp_path, monkeypatch):
    path = tmp_path / "whole.json"
    files.write_whole(path, b"old")
    monkeypatch.setattr(files.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError):
        files.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["whole.json"]
    assert time.time() - path.stat().st_mtime < 60
