from __future__ import annotations

import threading

import pytest

from ragctx.corpus import Corpus
from ragctx.errors import StoreError
from ragctx.types import Where


@pytest.fixture
def corpus(write, tmp_path):
    return Corpus.over(write({"a.txt": "One. Two.", "b.txt": "Three."}), folder=tmp_path / "store")


def writes(text):
    return lambda folder: (folder / "index").write_text(text)


def test_an_index_belongs_to_one_manifest(corpus, write):
    slot = corpus.slot("bm25")
    assert (slot.current, slot.previous) == (None, None)
    built = slot.replace(writes("first"))
    assert slot.current == built == corpus.slot("bm25").current
    assert (built / "index").read_text() == "first"
    assert corpus.slot("dense").current is None
    write({"c.txt": "Four."})
    corpus.refresh()
    later = corpus.slot("bm25")
    assert (later.current, later.previous) == (None, built)
    newer = later.replace(writes("second"))
    assert (later.current, later.previous) == (newer, built)
    write({"d.txt": "Five."})
    corpus.refresh()
    newest = corpus.slot("bm25").replace(writes("third"))
    assert (corpus.slot("bm25").current, corpus.slot("bm25").previous) == (newest, newer)
    assert not built.exists()


def test_an_index_that_fails_half_way_is_not_there(corpus, write):
    slot = corpus.slot("bm25")
    built = slot.replace(writes("first"))
    write({"c.txt": "Four."})
    slot = corpus.refresh().slot("bm25")

    def fails(folder):
        (folder / "index").write_text("half")
        raise RuntimeError("the encoder broke")

    with pytest.raises(RuntimeError, match="broke"):
        slot.replace(fails)
    assert (slot.current, slot.previous) == (None, built)
    assert not list(slot.folder.glob("*.tmp"))
    assert slot.replace(writes("whole")) == slot.current


def test_an_index_can_be_written_again_while_it_is_read(corpus):
    slot = corpus.slot("bm25")
    with (slot.replace(writes("first")) / "index").open() as reading:
        assert (slot.replace(writes("second")) / "index").read_text() == "second"
        assert reading.read() == "first"


def test_two_builders_of_one_index_build_it_once(corpus):
    slot, built, begun = corpus.slot("bm25"), [], threading.Event()

    def slow(folder):
        begun.set()
        built.append(folder)
        threading.Event().wait(0.3)

    first = threading.Thread(target=slot.replace, args=(slow,))
    first.start()
    assert begun.wait(5)
    assert slot.replace(slow) == slot.current
    first.join()
    assert len(built) == 1


def test_a_view_has_places_of_its_own(corpus):
    view = corpus.select(Where(documents=("b.txt",)))
    built = corpus.slot("bm25").replace(writes("all"))
    part = view.slot("bm25").replace(writes("part"))
    assert part != built
    assert corpus.slot("bm25").current == built


@pytest.mark.parametrize("name", ["dense:model/with slash", "../up", "é", "."])
def test_any_name_makes_a_folder_of_its_own(corpus, name):
    slot = corpus.slot(name)
    assert slot.folder.parent == corpus.folder / "indexes"
    assert slot.replace(writes("x")) == corpus.slot(name).current
    assert corpus.slot(name + "x").current is None


def test_a_disk_that_refuses_is_said(corpus):
    def refuses(folder):
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="disk is full"):
        corpus.slot("bm25").replace(refuses)
