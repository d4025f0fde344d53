"""A cache of more than 2^31 numbers of which a few pages at its end are used: memory that is promised, not taken."""

from __future__ import annotations

import mmap
import sys
import tempfile
from pathlib import Path

import honest
import mutants
import torch
from triton.runtime import interpreter
from triton.runtime.errors import InterpreterError

from ragctx.attention import BlockIndex, Extent
from ragctx.attention.kernels import triton as kernels
from ragctx.attention.reference import attend

PAGE, WIDTH = 64, 16
PAGES = (1 << 31) // (PAGE * 2 * WIDTH) + 8


def results():
    """Name -> greatest difference from the oracle, or what was raised."""
    interpreter.GridExecutor._restore_args_dev = lambda *given: None  # on the CPU it copies 4 GiB onto themselves
    made = torch.Generator().manual_seed(0)
    extents = [Extent(70, 140), Extent(1, 130)]
    query, key, value = (torch.randn(n, 1, WIDTH, generator=made).bfloat16() for n in (71, 270, 270))
    keys, values = key.split([140, 130]), value.split([140, 130])
    memory = mmap.mmap(-1, PAGES * PAGE * 2 * WIDTH * 2, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    cache = torch.frombuffer(memory, dtype=torch.bfloat16).view(PAGES, 1, PAGE, 2 * WIDTH)
    table = torch.tensor([[PAGES - 1, 0, PAGES - 5], [PAGES - 3, PAGES - 2, 3]], dtype=torch.int32)
    for request, rows in enumerate(zip(keys, values, strict=True)):
        for number, part in enumerate(torch.cat(rows, -1).split(PAGE)):
            cache[table[request, number], 0, : len(part)] = part[:, 0]
    index = BlockIndex.dense(extents, 1)
    exact = attend(query, keys, values, index).output
    held = kernels.Paged.of(cache, table, "packed")
    yield "as they are", told(kernels.attend, query, held, index, exact)
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, folder)
        planted = mutants.planted(mutants.FAR, Path(folder)).attend
        yield "with the bug", told(planted, query, held, index, exact)


def told(call, query, held, index, exact):
    try:
        with honest.Sanitizer():
            return float((call(query, held, index).output - exact).abs().max())
    except InterpreterError as error:
        return repr(error)
