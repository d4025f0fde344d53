"""What a rule may look at: the queries of a call, the keys so far, and where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from ragctx.attention.extents import BLOCK, Extent
from ragctx.attention.kernels.held import Pages

if TYPE_CHECKING:
    import torch

    from ragctx.attention.selection.summaries import Summaries

STRIP = 16
"""Query tiles looked at together: bounds the memory of scores, [heads of a group, tiles, samples, keys]."""


class Keys(Protocol):
    """A request's keys, wherever they are. Tiles are of 64 and anchored at the sequence's beginning."""

    def rows(self, begin: int, end: int) -> torch.Tensor:
        """Keys [begin, end), [n, KV heads, width]."""
        ...

    def means(self) -> torch.Tensor:
        """The mean key of each tile, float32 [tiles, KV heads, width]; at least the tiles of all keys."""
        ...

    def bounds(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The least and the greatest of each number in each tile, likewise."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class TensorKeys:
    """Keys that are a tensor [keys, KV heads, width].

    Example:
        >>> import torch
        >>> keys = TensorKeys(torch.ones(100, 2, 16))
        >>> keys.means().shape, keys.rows(64, 66).shape
        (torch.Size([2, 2, 16]), torch.Size([2, 2, 16]))
    """

    tensor: torch.Tensor

    def rows(self, begin: int, end: int) -> torch.Tensor:
        """See `Keys`."""
        return self.tensor[begin:end]

    def means(self) -> torch.Tensor:
        """See `Keys`."""
        return means(self.tensor, BLOCK)

    def bounds(self) -> tuple[torch.Tensor, torch.Tensor]:
        """See `Keys`."""
        return bounds(self.tensor, BLOCK)


Tensors = TensorKeys


@dataclass(frozen=True, slots=True, eq=False)
class PagedKeys:
    """A request's keys in vLLM's pages, read from there when asked for.

    Attributes:
        pages: of all requests. request: which one.
        count: its keys; 0 takes all that its pages could hold, of which the last may be none.
        summaries: of the layer's cache, so that steps need not bound all tiles again; None bounds them each time.
    """

    pages: Pages
    request: int
    count: int = 0
    summaries: Summaries | None = None

    def rows(self, begin: int, end: int) -> torch.Tensor:
        """See `Keys`."""
        cache = self.pages.cache
        heads, page, width = cache.shape[1], cache.shape[2], cache.shape[3] // 2
        first = begin // page
        own = self.pages.table[self.request, first : -(-end // page)].long()
        turned = cache[own].flatten(2)[..., : page * width].view(-1, heads, width, page)
        return turned.permute(0, 3, 1, 2).reshape(-1, heads, width)[begin - first * page : end - first * page]

    def means(self) -> torch.Tensor:
        """See `Keys`."""
        return means(self.rows(0, self._count()), BLOCK)

    def bounds(self) -> tuple[torch.Tensor, torch.Tensor]:
        """See `Keys`."""
        if self.summaries is not None:
            return self.summaries.bounds(self.pages, self.request, self._count())
        return bounds(self.rows(0, self._count()), BLOCK)

    def _count(self) -> int:
        return self.count or self.pages.table.shape[1] * self.pages.cache.shape[2]


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """One request of a call, as a rule sees it.

    Attributes:
        extent: which positions are queries and keys.
        query: [queries, heads, width], rotated. keys: all up to the last query, rotated.
        layer: number of the layer, from 0. scale: of the scores; 0 is 1 / sqrt(width).
        prompt: whether queries are surely of a prompt; a single one may else be a step of writing.

    Example:
        >>> import torch
        >>> seen = Evidence(Extent(100, 164), torch.ones(100, 4, 16), TensorKeys(torch.ones(164, 2, 16)))
        >>> seen.kv_heads, seen.group, seen.past().shape, [tuple(queries.shape) for _, queries in seen.strips(0)]
        (2, 2, torch.Size([128, 2, 16]), [(2, 2, 64, 16)])
    """

    extent: Extent
    query: torch.Tensor
    keys: Keys
    layer: int = 0
    scale: float = 0.0
    prompt: bool = False

    @property
    def kv_heads(self) -> int:
        """How many heads of keys there are."""
        return int(self.keys.rows(0, 1).shape[1])

    @property
    def group(self) -> int:
        """Query heads of each head of keys."""
        return int(self.query.shape[1]) // self.kv_heads

    @property
    def factor(self) -> float:
        """What scores are multiplied with."""
        return self.scale or float(self.query.shape[2]) ** -0.5

    @property
    def own(self) -> torch.Tensor:
        """The tile of each query tile, int64 [query tiles]."""
        import torch

        return torch.arange(self.extent.base, self.extent.base + self.extent.tiles)

    def part(self, begin: int, end: int) -> Evidence:
        """The same, of the queries at positions [begin, end) alone."""
        query = self.query[begin - self.extent.first : end - self.extent.first]
        return replace(self, extent=Extent(end - begin, end), query=query)

    def past(self) -> torch.Tensor:
        """The keys of all tiles before the last query tile, [tokens, KV heads, width]: those among which is a choice.

        All of them are whole and stay as they are, whatever comes; the diagonal tile is no choice.
        """
        return self.keys.rows(0, (self.extent.base + self.extent.tiles - 1) * BLOCK)

    def strips(self, head: int) -> Iterator[tuple[int, torch.Tensor]]:
        """A KV head's queries some tiles at a time: number of the first one here, float32 [group, tiles, 64, width].

        Where the call has only a part of a tile, its nearest query stands for those that are missing.
        """
        import torch

        heads = self.query[:, head * self.group : (head + 1) * self.group]
        for start in range(0, self.extent.tiles, STRIP):
            tiles = min(STRIP, self.extent.tiles - start)
            begin = (self.extent.base + start) * BLOCK
            places = torch.arange(begin, begin + tiles * BLOCK).clamp(self.extent.first, self.extent.keys - 1)
            rows = heads[(places - self.extent.first).to(heads.device)].float()
            yield start, rows.unflatten(0, (tiles, BLOCK)).permute(2, 0, 1, 3)


def means(keys: torch.Tensor, size: int) -> torch.Tensor:
    """The mean of every `size` keys, float32 [parts, KV heads, width]; the last part may be of fewer."""
    import torch

    whole = len(keys) // size * size
    parts = keys[:whole].unflatten(0, (-1, size)).float().mean(1) if whole else keys[:0].float()
    return parts if whole == len(keys) else torch.cat([parts, keys[whole:].float().mean(0, keepdim=True)])


def bounds(keys: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The least and the greatest of each number in every `size` keys, likewise."""
    import torch

    parts = keys.split(size)
    return torch.stack([part.float().amin(0) for part in parts]), torch.stack([part.float().amax(0) for part in parts])
