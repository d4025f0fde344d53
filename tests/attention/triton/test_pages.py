"""Layouts of caches, told from what was written; and what `attend` refuses before it launches anything."""

from __future__ import annotations

import importlib
import sys

import pytest

from ragctx.attention import BlockIndex, Extent
from ragctx.errors import ConfigError, UnknownName

torch = pytest.importorskip("torch", reason="needs the extra local")
kernels = importlib.import_module("ragctx.attention.kernels.triton")
launch = importlib.import_module("ragctx.attention.kernels.triton.launch")

SHAPES = {
    "kv-first": (2, 5, 32, 3, 16), "pages-first": (5, 2, 32, 3, 16),
    "packed": (5, 3, 32, 32), "transposed": (5, 3, 32, 32),
}  # fmt: skip


def written(cache, layout, slot):
    """A token in the cache, put there by the definition of the layout and not by the views under test."""
    key, value = torch.randn(3, 16), torch.randn(3, 16)
    page, place = slot // 32, slot % 32
    for head in range(3):
        if layout == "kv-first":
            cache[0, page, place, head], cache[1, page, place, head] = key[head], value[head]
        elif layout == "pages-first":
            cache[page, 0, place, head], cache[page, 1, place, head] = key[head], value[head]
        elif layout == "packed":
            cache[page, head, place] = torch.cat([key[head], value[head]])
        else:
            inside = cache[page, head].view(-1)
            inside[torch.arange(16) * 32 + place] = key[head]
            inside[512 + place * 16 + torch.arange(16)] = value[head]
    return key, value


@pytest.mark.parametrize("layout", SHAPES)
@pytest.mark.parametrize("slot", [0, 37, 95, 159])
def test_a_layout_is_told_from_one_token(layout, slot):
    cache = torch.randn(SHAPES[layout])
    key, value = written(cache, layout, slot)
    assert kernels.probed(cache, slot, key, value) == layout
    held = kernels.Paged.of(cache, torch.zeros(1, 1, dtype=torch.int32), layout)
    assert held.keys.shape == held.values.shape == (5, 3, 32, 16)
    assert torch.equal(held.keys[slot // 32, :, slot % 32], key)
    assert torch.equal(held.values[slot // 32, :, slot % 32], value)


def test_two_pages_do_not_confuse_keys_first_with_pages_first():
    for layout, at in (("kv-first", (0, 1)), ("pages-first", (1, 0))):
        cache, key, value = torch.randn(2, 2, 32, 3, 16), torch.randn(3, 16), torch.randn(3, 16)
        cache[(*at, 3)], cache[1, 1, 3] = key, value
        assert kernels.probed(cache, 35, key, value) == layout


def test_views_of_a_cache_with_heads_first_are_told_too():
    memory = torch.randn(2, 5, 3, 32, 16)
    key, value = written(memory.transpose(2, 3), "kv-first", 70)
    assert kernels.probed(memory.transpose(2, 3), 70, key, value) == "kv-first"


def test_an_unknown_layout_is_refused():
    with pytest.raises(ConfigError, match="none of the known layouts"):
        kernels.probed(torch.zeros(5, 3, 32, 32), 3, torch.ones(3, 16), torch.ones(3, 16))
    with pytest.raises(ConfigError, match="none of the known layouts"):
        kernels.probed(torch.zeros(7, 9), 3, torch.ones(3, 16), torch.ones(3, 16))
    with pytest.raises(UnknownName, match="did you mean"):
        kernels.Paged.of(torch.zeros(2, 2, 2, 2, 2), torch.zeros(1, 1), "kv_first")
    with pytest.raises(ConfigError, match="has 5 dimensions"):
        kernels.Paged.of(torch.zeros(2, 2, 2, 2), torch.zeros(1, 1), "kv-first")


def test_a_page_that_no_tile_holds_is_refused(anywhere):
    cache, table = torch.zeros(2, 5, 48, 1, 16), torch.zeros(1, 2, dtype=torch.int32)
    with pytest.raises(ConfigError, match="pages of 48"):
        kernels.attend(
            torch.zeros(2, 1, 16), kernels.Paged.of(cache, table, "kv-first"), BlockIndex.dense([Extent(2, 2)], 1)
        )


@pytest.fixture
def anywhere(monkeypatch):
    """As if a GPU were there: what is refused is refused before one is needed."""
    monkeypatch.setattr(launch, "ready", lambda device: "")


def call(query=(70, 4, 16), key=(70, 2, 16), dtype=torch.float32, **changes):
    rows = kernels.Rows([torch.zeros(key, dtype=changes.pop("key_dtype", dtype))], [torch.zeros(key, dtype=dtype)])
    return kernels.attend(torch.zeros(query, dtype=dtype), rows, BlockIndex.dense([Extent(70, 70)], 2), **changes)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"query": (70, 4, 80), "key": (70, 2, 80)}, "heads of 80"),
        ({"query": (70, 4, 256), "key": (70, 2, 256)}, "heads of 256"),
        ({"dtype": torch.float64}, "float64"),
        ({"key_dtype": torch.bfloat16}, "make them alike"),
        ({"query": (69, 4, 16)}, "70 queries and 2 KV heads"),
        ({"query": (70, 3, 16)}, "2 KV heads"),
        ({"key": (71, 2, 16)}, "the rows are"),
        ({"key": (70, 32)}, "the rows are"),
        ({"output": torch.zeros(70, 4, 8)}, "the output is"),
        ({"output": torch.zeros(70, 16, 4).transpose(1, 2)}, "last dense"),
        ({"scale": -1.0}, "positive"),
        ({"scale": float("nan")}, "positive"),
        ({"query": (70, 64), "key": (70, 2, 64)}, "queries are"),
    ],
)
def test_tensors_that_do_not_fit_are_refused(anywhere, changes, why):
    with pytest.raises(ConfigError, match=why):
        call(**changes)


@pytest.mark.parametrize(
    ("cache", "table", "why"),
    [
        ((2, 5, 32, 3, 16), (1, 3), "pages of 2 KV heads of 16"),
        ((2, 5, 32, 2, 32), (1, 3), "pages of 2 KV heads of 16"),
        ((2, 5, 32, 2, 16), (1, 2), "of 70 keys do not fit a table"),
        ((2, 5, 32, 2, 16), (0, 3), "1 requests of"),
        ((2, 5, 32, 2, 16), (1, 3, 1), "page table is"),
    ],
)
def test_pages_that_do_not_fit_are_refused(anywhere, cache, table, why):
    held = kernels.Paged.of(torch.zeros(cache), torch.zeros(table, dtype=torch.int32), "kv-first")
    with pytest.raises(ConfigError, match=why):
        kernels.attend(torch.zeros(70, 4, 16), held, BlockIndex.dense([Extent(70, 70)], 2))


def test_tensors_in_host_memory_are_refused_without_a_word_of_triton(monkeypatch):
    monkeypatch.setattr(launch.language, "FOUND", False)
    monkeypatch.setitem(sys.modules, "triton", None)
    with pytest.raises(ConfigError, match=r"pip install 'ragctx\[gpu\]'"):
        call()
