import numpy as np
import pytest

from ragctx.corpus import Corpus
from ragctx.errors import StoreCorrupt
from ragctx.models import Models
from ragctx.retrievers import inverted, segments
from ragctx.retrievers.bm25 import BM25
from ragctx.retrievers.parts import Part, Placed
from ragctx.types import Document, Question
from ragctx.work import run


def segment(digest, chunk, height):
    def write(folder):
        folder.mkdir()
        np.save(folder / "rows.npy", np.full(height, chunk))

    return segments.Segment((Placed(Part(digest, 0, height), chunk),), write)


def join(pieces, folder):
    folder.mkdir()
    np.save(folder / "rows.npy", np.concatenate([np.load(piece / "rows.npy") for piece in pieces]))


def rows_of(folder):
    listed = segments.read(folder)
    return [
        (np.load(path / "rows.npy").tolist(), place.tolist())
        for (path, _), place in zip(listed, segments.places(folder, listed), strict=True)
    ]


def test_what_is_written_is_read(tmp_path):
    segments.write(tmp_path, [segment("a", 0, 2), segment("empty", 2, 0), segment("b", 2, 1)])
    assert rows_of(tmp_path) == [([0, 0], [0, 1]), ([2], [2])]
    assert segments.read(tmp_path)[1] == (tmp_path / "1", (Part("b", 0, 1),))


def test_an_index_of_nothing(tmp_path):
    segments.write(tmp_path, [])
    assert rows_of(tmp_path) == []


def test_small_segments_are_joined_and_large_ones_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(segments, "SEGMENT", 10)
    monkeypatch.setattr(segments, "MOST_SMALL", 2)
    given = [segment("a", 0, 3), segment("b", 3, 9), segment("c", 12, 4), segment("d", 16, 4)]
    segments.write(tmp_path, segments.compact(given, join))
    assert rows_of(tmp_path) == [
        ([3] * 9, list(range(3, 12))),
        ([0] * 3 + [12] * 4, [0, 1, 2, 12, 13, 14, 15]),
        ([16] * 4, [16, 17, 18, 19]),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2", "places.npy", "segments.json"]


def test_links_share_the_file(tmp_path):
    segment("a", 0, 2).write(tmp_path / "old")
    segments.link(tmp_path / "old")(tmp_path / "new")
    assert (tmp_path / "new" / "rows.npy").samefile(tmp_path / "old" / "rows.npy")


def test_a_file_system_without_links_gets_copies(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError("no links here")

    monkeypatch.setattr(segments.os, "link", refuse)
    segment("a", 0, 2).write(tmp_path / "old")
    segments.link(tmp_path / "old")(tmp_path / "new")
    assert not (tmp_path / "new" / "rows.npy").samefile(tmp_path / "old" / "rows.npy")
    assert np.load(tmp_path / "new" / "rows.npy").tolist() == [0, 0]


def test_an_index_another_process_has_just_made_is_taken_over():
    corpus = Corpus.of("Rent is due.")
    slot = corpus.slot("made-twice")
    first = segments.put(slot, [segment("a", 0, 1)])
    second = segments.put(slot, [segment("unlike", 9, 1)])
    assert first == second
    assert rows_of(second) == [([0], [0])]
    assert slot.current == second


@pytest.mark.parametrize("file", ["segments.json", "places.npy", "0/terms.npy"])
@pytest.mark.parametrize("damage", ["missing", "cut", "nonsense"])
def test_a_damaged_index_says_what_to_delete(file, damage):
    corpus = Corpus.of("Rent is due.")
    run(BM25().prepare(corpus, Models()))
    path = next((corpus.folder / "indexes").glob("bm25-*")) / corpus.manifest / file
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(content[: len(content) // 2] if damage == "cut" else b"{}")
    with pytest.raises(StoreCorrupt, match="delete that folder"):
        run(BM25().retrieve(Question("rent"), corpus, 1, Models()))


def test_an_index_that_was_built_again_is_opened_again():
    corpus = Corpus.of("Rent is due.")
    folder = BM25()._folder(corpus)
    before = segments.opened(folder, inverted.Inverted.open)
    assert segments.opened(folder, inverted.Inverted.open) is before
    corpus.add(Document("b.txt", "Rent."))
    assert segments.opened(BM25()._folder(corpus), inverted.Inverted.open) is not before
