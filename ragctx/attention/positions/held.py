"""Stretches of what a request holds, as requests of their own: views, nothing is copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ragctx.attention.kernels.held import Pages, Rows
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    import torch

Held = Rows | Pages


def cut(held: Held, request: int, spans: Sequence[tuple[int, int]], heads: slice) -> Held:
    """Tokens [begin, end) of a request, for each span, of some KV heads.

    Raises:
        ConfigError: a span begins inside a page.
    """
    if isinstance(held, Pages):
        return Pages(held.cache[:, heads], _tables(held.table[request], held.cache.shape[2], spans))
    key, value = held.keys[request], held.values[request]
    return Rows(*([each[begin:end, heads] for begin, end in spans] for each in (key, value)))


def _tables(table: torch.Tensor, page: int, spans: Sequence[tuple[int, int]]) -> torch.Tensor:
    if any(begin % page for begin, _ in spans):
        raise ConfigError(f"pieces do not begin with a page of {page} tokens: make the stride a multiple of {page}")
    rows = table.new_zeros(len(spans), max(-(-(end - begin) // page) for begin, end in spans))
    for row, (begin, end) in zip(rows, spans, strict=True):
        row[: -(-(end - begin) // page)] = table[begin // page : -(-end // page)]
    return rows
