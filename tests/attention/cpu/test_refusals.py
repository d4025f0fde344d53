"""What C++ would read wrongly never gets there."""

from __future__ import annotations

import pytest

from ragctx.attention import BlockIndex, Extent
from ragctx.attention.kernels import cpu, torch_tiles
from ragctx.attention.kernels.held import Pages, Rows
from ragctx.errors import ConfigError

torch = pytest.importorskip("torch", reason="needs the extra local")

EXTENTS = [Extent(70, 200), Extent(1, 5)]
INDEX = BlockIndex.dense(EXTENTS, 2)
QUERY = torch.zeros(71, 4, 64)
KEYS = [torch.zeros(200, 2, 64), torch.zeros(5, 2, 64)]
PAGES = Pages.holding(KEYS, KEYS)


def rows(keys=None, values=None):
    return Rows(KEYS if keys is None else keys, KEYS if values is None else values)


def paged(cache=None, table=None):
    return Pages(PAGES.cache if cache is None else cache, PAGES.table if table is None else table)


def table(*pages):
    return torch.tensor(pages, dtype=torch.int32)


REFUSED = {
    "two dimensions": ((QUERY[0], rows()), {}, "queries are"),
    "padding": ((torch.zeros(80, 4, 64), rows()), {}, "cut off padding"),
    "heads that cannot share": ((torch.zeros(71, 3, 64), rows()), {}, "cannot share 2 KV heads"),
    "scale below zero": ((QUERY, rows()), {"scale": -1.0}, "scale"),
    "scale that is none": ((QUERY, rows()), {"scale": float("nan")}, "scale"),
    "no thread": ((QUERY, rows()), {"threads": 0}, "at least one"),
    "one request's keys": ((QUERY, rows(KEYS[:1])), {}, "the index is of keys"),
    "too few values": ((QUERY, rows(values=[KEYS[0][:199], KEYS[1]])), {}, "the index is of values"),
    "other numbers": ((QUERY, rows([key.bfloat16() for key in KEYS])), {}, "make them alike"),
    "elsewhere": ((QUERY, rows([key.to("meta") for key in KEYS])), {}, "make them alike"),
    "keys the wrong way round": (
        (QUERY, rows([torch.zeros(64, 2, n).permute(2, 1, 0) for n in (200, 5)])),
        {},
        "last dimension of keys",
    ),
    "pages of other heads": ((QUERY, paged(torch.zeros(4, 3, 128, 128))), {}, "pages are"),
    "pages of other width": ((QUERY, paged(torch.zeros(4, 2, 128, 64))), {}, "pages are"),
    "small pages": ((QUERY, paged(torch.zeros(40, 2, 32, 128))), {}, "no multiple of 64"),
    "pages with gaps": ((QUERY, paged(torch.zeros(4, 2, 128, 256)[..., :128])), {}, "must be dense"),
    "pages of other numbers": ((QUERY, paged(PAGES.cache.bfloat16())), {}, "make them alike"),
    "a long table": ((QUERY, paged(table=PAGES.table.long())), {}, "page table is int32"),
    "a table of fewer": ((QUERY, paged(table=PAGES.table[:1])), {}, "page table is int32"),
    "too short a table": ((QUERY, paged(table=PAGES.table[:, :1])), {}, "2 pages are needed"),
    "a page too far": ((QUERY, paged(table=table([1, 4], [3, 0]))), {}, "page table of request 0"),
    "a page before the first": ((QUERY, paged(table=table([1, 2], [-1, 0]))), {}, "page table of request 1"),
    "output of other shape": ((QUERY, rows()), {"output": torch.zeros(70, 4, 64)}, "queries' shape"),
    "output of other numbers": ((QUERY, rows()), {"output": QUERY.bfloat16()}, "make them alike"),
    "output upon itself": ((QUERY, rows()), {"output": torch.zeros(1, 4, 64).expand(71, 4, 64)}, "lie on each other"),
}


@pytest.mark.parametrize("attend", [cpu.attend, torch_tiles.attend], ids=["cpu", "torch"])
@pytest.mark.parametrize(("given", "more", "why"), REFUSED.values(), ids=REFUSED)
def test_refused(attend, given, more, why):
    with pytest.raises(ConfigError, match=why):
        attend(*given, INDEX, **more)


def test_what_no_one_asks_for_in_a_table_may_be_anything():
    wild = table([1, 2, 10**6], [3, -5, -5])
    torch_tiles.attend(QUERY, paged(table=wild), INDEX)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        (torch.zeros(71, 4, 72), "width 72"),
        (torch.zeros(71, 4, 272), "width 272"),
        (torch.zeros(71, 4, 64, dtype=torch.float16), "float16"),
        (torch.zeros(71, 4, 64, dtype=torch.float64), "float64"),
        (torch.zeros(71, 64, 4).transpose(1, 2), "last dimension of queries"),
    ],
)
def test_what_the_compiled_kernel_lacks(query, why):
    keys = [torch.zeros(extent.keys, 2, query.shape[2], dtype=query.dtype) for extent in EXTENTS]
    with pytest.raises(ConfigError, match=why):
        cpu.attend(query, Rows(keys, keys), INDEX)


def test_gradients_are_not_lost_unawares():
    with pytest.raises(ConfigError, match="no gradient"):
        cpu.attend(QUERY.clone().requires_grad_(), rows(), INDEX)
    with torch.no_grad():
        torch_tiles.attend(QUERY.clone().requires_grad_(), rows(), INDEX)
