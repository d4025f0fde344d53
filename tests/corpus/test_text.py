from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragctx.corpus import text as module
from ragctx.corpus.text import Source, StoredText, TextWriter, digest, encode
from ragctx.errors import StoreCorrupt


def store(folder, *texts, size=1 << 14):
    path = folder / "text.bin"
    writer, places = TextWriter(path), []
    for text in texts:
        assert "".join(writer.write((text[i : i + size] for i in range(0, len(text), size)), places, "s")) == text
    writer.finish()
    source = Source(path)
    return [StoredText(place, source) for place in places]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    text = ("plain " * 20_000) + ("é“”" * 30_000) + ("漢字" * 40_000) + ("\U0001f600x" * 40_000) + "tail"
    [stored] = store(tmp_path_factory.mktemp("mixed"), text)
    return text, stored


@given(st.data())
def test_slices_are_those_of_the_string(mixed, data):
    text, stored = mixed
    bound = st.one_of(st.none(), st.integers(-len(text) - 5, len(text) + 5))
    key = slice(data.draw(bound), data.draw(bound), data.draw(st.sampled_from([None, 1, 2, -1, 7, -3])))
    assert stored[key] == text[key]


def test_length_items_and_whole(mixed):
    text, stored = mixed
    assert len(stored) == len(text)
    assert stored[-1] == "l"
    assert str(stored) == text == "".join(stored.blocks())
    assert stored == text
    with pytest.raises(IndexError):
        stored[len(text)]


def test_a_slice_reads_only_its_own_bytes(mixed, monkeypatch):
    text, stored = mixed
    asked = []
    read = Source.read
    monkeypatch.setattr(Source, "read", lambda self, at, size: asked.append(size) or read(self, at, size))
    assert stored[300_000:300_010] == text[300_000:300_010]
    assert sum(asked) <= 40


@given(st.lists(st.text(max_size=50), min_size=1, max_size=5))
def test_any_unicode_comes_back(tmp_path_factory, texts):
    for text, stored in zip(texts, store(tmp_path_factory.mktemp("any"), *texts), strict=True):
        assert stored[:] == text
        assert stored._stored.digest == digest(text)


@pytest.mark.parametrize(
    ("text", "width"), [("abc", "1"), ("é", "1"), ("“a", "2"), ("\U0001f600", "4"), ("\ud800\udc00", "4")]
)
def test_blocks_are_as_narrow_as_they_can_be(text, width):
    found, raw = encode(text)
    assert found == width
    assert raw.decode(module._CODECS[width], "surrogatepass") == text


def test_sizes_on_disk_are_known(tmp_path):
    texts = ["a" * 70_000, "漢" * 65_536, "", "x“"]
    stored = store(tmp_path, *texts)
    assert [text._stored.size for text in stored] == [70_000, 131_072, 0, 4]
    assert (tmp_path / "text.bin").stat().st_size == sum(text._stored.size for text in stored)


def test_a_text_can_be_taken_back(tmp_path):
    writer, places = TextWriter(tmp_path / "text.bin"), []
    list(writer.write(["kept"], places, "s"))
    list(writer.write(["not kept"], places, "s"))
    writer.take_back(4)
    list(writer.write(["next"], places, "s"))
    writer.finish()
    assert (tmp_path / "text.bin").read_bytes() == b"keptnext"
    assert places[-1].offset == 4


def test_a_file_cut_short_says_how_to_rebuild(tmp_path):
    [stored] = store(tmp_path, "x" * 1000)
    with (tmp_path / "text.bin").open("r+b") as file:
        file.truncate(500)
    assert stored[:500] == "x" * 500
    with pytest.raises(StoreCorrupt, match="delete the folder"):
        stored[400:600]
