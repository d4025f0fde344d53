from __future__ import annotations

import os
import time
from datetime import date

import pytest

from ragctx.corpus import Chunking, Corpus, build, compaction
from ragctx.errors import InputError, UnreadableDocument
from ragctx.types import Document


@pytest.fixture
def read(monkeypatch):
    """Names of the files whose bytes were looked at, and of those whose text was read, in order."""
    looked, loaded = [], []
    inspect, load = build.inspect, build.load
    monkeypatch.setattr(build, "inspect", lambda path: looked.append(path.name) or inspect(path))
    monkeypatch.setattr(build, "load", lambda path, *rest: loaded.append(path.name) or load(path, *rest))

    class Read:
        def __call__(self):
            found = (list(looked), list(loaded))
            looked.clear()
            loaded.clear()
            return found

    return Read()


def age(folder):
    """As if nothing had been written for a while."""
    before = time.time() - 100
    for path in folder.rglob("*"):
        os.utime(path, (before, before))


def ids(corpus):
    return [document.id for document in corpus.documents]


def test_only_what_is_new_or_changed_is_read(write, read, checked):
    folder = write({f"{i}.txt": f"File number {i}. " * 30 for i in range(20)})
    age(folder)
    first = Corpus.over(folder)
    assert len(read()[1]) == 20
    again = Corpus.over(folder)
    assert read() == ([], [])
    assert again.manifest == first.manifest
    write({"new.txt": "New here."})
    grown = checked(Corpus.over(folder))
    assert read() == (["new.txt"], ["new.txt"])
    assert ids(grown) == [*ids(first), "new.txt"]
    (folder / "3.txt").write_text("Other words.")
    changed = checked(Corpus.over(folder))
    assert "3.txt" in read()[1]
    assert str(changed.document("3.txt").text) == "Other words."
    (folder / "3.txt").unlink()
    assert "3.txt" not in ids(checked(Corpus.over(folder)))
    assert read()[1] == []


def test_a_touched_file_is_looked_at_once_and_not_read_again(write, read):
    folder = write({"a.txt": "One.", "b.txt": "Two."})
    age(folder)
    first = Corpus.over(folder)
    read()
    os.utime(folder / "a.txt", (time.time() - 50, time.time() - 50))
    assert Corpus.over(folder).manifest == first.manifest
    assert read() == (["a.txt"], [])
    Corpus.over(folder)
    assert read() == ([], [])


def test_a_change_within_the_clocks_tick_is_seen(write):
    folder = write({"a.txt": "One."})
    Corpus.over(folder)
    stamp = (folder / "a.txt").stat()
    (folder / "a.txt").write_text("Two.")
    os.utime(folder / "a.txt", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert str(Corpus.over(folder).documents[0].text) == "Two."


def test_a_renamed_file_shares_what_was_stored(write, checked):
    folder = write({"a.txt": "The same words. " * 500})
    first = Corpus.over(folder)
    segments = sorted((first.folder / "segments").iterdir())
    (folder / "a.txt").rename(folder / "b.txt")
    renamed = checked(Corpus.over(folder))
    assert ids(renamed) == ["b.txt"]
    assert renamed.documents[0].digest == first.documents[0].digest
    stored = [path for path in (first.folder / "segments").iterdir() if path not in segments]
    assert sum((path / "text.bin").stat().st_size for path in stored) == 0


def test_duplicates_share_text_and_keep_their_names(write, checked):
    text = "The same words. " * 500
    corpus = checked(Corpus.over(write({"a.txt": text, "b.txt": text, "c/a.txt": text})))
    assert ids(corpus) == ["a.txt", "b.txt", "c/a.txt"]
    assert len({document.digest for document in corpus.documents}) == 1
    [segment] = (corpus.folder / "segments").iterdir()
    assert (segment / "text.bin").stat().st_size == len(text)
    assert [note.partition(" ")[0] for note in corpus.notes] == ["b.txt", "c/a.txt"]


def test_add_remove_and_refresh_change_in_place(write, tmp_path, checked):
    folder = write({"a.txt": "One.", "b.txt": "Two."})
    (tmp_path / "extra.txt").write_text("Extra.")
    corpus = Corpus.over(folder)
    manifest, characters = corpus.manifest, corpus.characters
    assert corpus.add(tmp_path / "extra.txt", Document("m", "In memory.")) is corpus
    assert ids(checked(corpus)) == ["a.txt", "b.txt", "extra.txt", "m"]
    assert (corpus.manifest != manifest, corpus.characters) == (True, characters + 16)
    corpus.add(Document("m", "Another text."))
    assert str(corpus.document("m").text) == "Another text."
    corpus.remove("a.txt", "m")
    assert ids(checked(corpus)) == ["b.txt", "extra.txt"]
    write({"z.txt": "New."})
    (tmp_path / "extra.txt").unlink()
    assert ids(corpus.refresh()) == ["b.txt", "z.txt"]
    corpus.add(folder / "a.txt")
    assert ids(corpus) == ["a.txt", "b.txt", "z.txt"]


def test_a_removed_record_stays_out(write):
    folder = write({"r.jsonl": '{"text": "One."}\n{"text": "Two."}'})
    corpus = Corpus.over(folder).remove("r.jsonl#1")
    assert ids(corpus) == ["r.jsonl#2"]
    assert ids(corpus.refresh()) == ["r.jsonl#2"]
    assert ids(Corpus.over(folder)) == ["r.jsonl#1", "r.jsonl#2"]


def test_a_folder_is_opened_as_it_was_left(write, tmp_path, read):
    folder = write({"a.txt": "One.", "b.txt": "Two."})
    place = tmp_path / "store"
    left = Corpus.over(folder, Document("m", "In memory."), folder=place, chunking=Chunking(words=9)).remove("a.txt")
    read()
    opened = Corpus.over(folder=place)
    assert read() == ([], [])
    assert (ids(opened), opened.manifest, opened.chunking) == (ids(left), left.manifest, left.chunking)
    write({"c.txt": "Three."})
    assert ids(opened.refresh()) == ["b.txt", "c.txt", "m"]
    with pytest.raises(InputError, match="holds no corpus"):
        Corpus.over(folder=tmp_path / "nothing")


def test_another_chunking_in_the_same_folder_cuts_again(write, tmp_path, checked):
    folder, place = write({"a.txt": "Some words here. " * 100}), tmp_path / "store"
    coarse = Corpus.over(folder, folder=place)
    fine = checked(Corpus.over(folder, folder=place, chunking=Chunking(words=6)))
    assert len(fine.chunks) == 50 > len(coarse.chunks)


def test_an_open_corpus_keeps_reading_what_it_opened(write, monkeypatch):
    from ragctx.corpus import store

    monkeypatch.setattr(store, "GRACE", 0.0)
    folder = write({"a.txt": "Old words. " * 100})
    old = Corpus.over(folder)
    (folder / "a.txt").write_text("New words. " * 100)
    new = Corpus.over(folder)
    assert len(list((new.folder / "segments").iterdir())) == 1
    assert str(old.documents[0].text).startswith("Old words.")
    assert old.chunks.text(0).startswith("Old words.")
    assert str(new.documents[0].text).startswith("New words.")


def test_a_file_of_a_folder_that_is_named_later_must_be_readable(write, tmp_path):
    folder = write({"a.txt": "Good.", "bad.txt": b"\0"})
    corpus = Corpus.over(folder, folder=tmp_path / "store")
    with pytest.raises(UnreadableDocument, match="binary"):
        Corpus.over(folder / "bad.txt", folder=tmp_path / "store")
    assert ids(corpus.refresh()) == ["a.txt"]


def test_a_store_among_its_documents_does_not_read_itself(write):
    folder = write({"a.txt": "Good."})
    corpus = Corpus.over(folder, folder=folder / "store")
    assert ids(corpus) == ids(corpus.refresh()) == ids(Corpus.over(folder, folder=folder / "store")) == ["a.txt"]
    assert corpus.problems == ()


def test_metadata_of_any_kind_is_kept_as_plain_values():
    corpus = Corpus.over(Document("m", "Words.", metadata={"when": date(2024, 5, 1), "n": 3, "tags": ["a"]}))
    assert corpus.document("m").metadata == {"when": "2024-05-01", "n": 3, "tags": '["a"]'}


def test_files_of_one_name_in_two_folders(tmp_path):
    for name in ("x/docs", "y/docs"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "a.txt").write_text(name)
    corpus = Corpus.over(tmp_path / "x/docs", tmp_path / "y/docs")
    assert ids(corpus) == ["a.txt", "docs/a.txt"]
    assert str(corpus.document("docs/a.txt").text) == "y/docs"


def test_many_small_additions_are_merged(write, monkeypatch, checked):
    monkeypatch.setattr(compaction, "MOST", 4)
    monkeypatch.setattr(compaction, "MERGED", 3)
    folder = write({"0.txt": "Text number 0, “quoted”. " * 20})
    corpus = Corpus.over(folder)
    for i in range(1, 12):
        write({f"{i}.txt": f"Text number {i}, 漢字. " * 20})
        corpus.refresh()
    checked(corpus)
    assert len(corpus._opened.state.catalogue.segments) <= 5
    assert [str(document.text)[:13].strip(",") for document in corpus.documents] == [
        f"Text number {i}"[:13].strip(",") for i in sorted(range(12), key=str)
    ]


def test_space_of_deleted_documents_is_won_back(write, monkeypatch, checked):
    from ragctx.corpus import store

    monkeypatch.setattr(store, "GRACE", 0.0)
    folder = write({"a.txt": "a " * 50_000, "b.txt": "b " * 1000})
    Corpus.over(folder)
    (folder / "a.txt").unlink()
    corpus = checked(Corpus.over(folder))
    [segment] = (corpus.folder / "segments").iterdir()
    assert (segment / "text.bin").stat().st_size == 2000
