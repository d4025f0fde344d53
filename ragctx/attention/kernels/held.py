"""Where a call's keys and values are: rows of their own, or the pages of vLLM's cache on CPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Rows:
    """Keys and values of each request as tensors [keys, KV heads, width] whose last dimension is dense.

    Example:
        >>> import torch
        >>> held = Rows([torch.zeros(5, 2, 16)], [torch.ones(5, 2, 16)])
        >>> [tuple(part.shape) for part in held.of(0, 0, 3)]
        [(3, 16), (3, 16)]
    """

    keys: Sequence[torch.Tensor]
    values: Sequence[torch.Tensor]

    def of(self, request: int, head: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The first `count` keys and values of a request and KV head, [count, width]."""
        return self.keys[request][:count, head], self.values[request][:count, head]


@dataclass(frozen=True, slots=True)
class Pages:
    """Keys and values in vLLM's pages.

    Attributes:
        cache: [pages, KV heads, page, 2 * width], of each page and head first the keys, transposed, then the values.
        table: int32 [requests, most pages], which pages a request has, in order.

    Example:
        >>> import torch
        >>> pages = Pages.holding([torch.randn(100, 2, 16)], [torch.randn(100, 2, 16)], page=64)
        >>> pages.cache.shape, pages.table.tolist()
        (torch.Size([3, 2, 64, 32]), [[1, 2]])
    """

    cache: torch.Tensor
    table: torch.Tensor

    @classmethod
    def holding(cls, keys: Sequence[torch.Tensor], values: Sequence[torch.Tensor], page: int = 128) -> Pages:
        """Pages of rows, one request after the other; page 0 stays empty, as vLLM leaves it."""
        import torch

        counts = [-(-len(key) // page) for key in keys]
        heads, width = keys[0].shape[1:]
        cache = torch.zeros(1 + sum(counts), heads, page, 2 * width, dtype=keys[0].dtype)
        table, at = torch.zeros(len(keys), max(counts), dtype=torch.int32), 1
        for request, (key, value) in enumerate(zip(keys, values, strict=True)):
            for number in range(counts[request]):
                inside = cache[at].view(heads, 2, -1)
                own, its = (part[number * page : (number + 1) * page] for part in (key, value))
                inside[:, 0].view(heads, width, page)[:, :, : len(own)] = own.permute(1, 2, 0)
                inside[:, 1].view(heads, page, width)[:, : len(its)] = its.transpose(0, 1)
                table[request, number] = at
                at += 1
        return cls(cache, table)

    def of(self, request: int, head: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The first `count` keys and values of a request and KV head, [count, width], copied out of their pages."""
        page, width = self.cache.shape[2], self.cache.shape[3] // 2
        own = self.cache[self.table[request, : -(-count // page)].long(), head].view(-1, 2, page * width)
        keys = own[:, 0].view(-1, width, page).transpose(1, 2).reshape(-1, width)
        return keys[:count], own[:, 1].reshape(-1, width)[:count]
