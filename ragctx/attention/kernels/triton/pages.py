"""Keys and values as a kernel addresses them: two views with strides, and where a request's tokens stand in them.

GPU backends have laid their cache out in several ways, and a wrong guess gives numbers that look like an answer.
A layout here is nothing but how to see a cache as keys and values [pages, KV heads, page, width]; the kernels take any
strides. `probed` finds out which one a cache has from a token that was just written to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragctx.attention.kernels.held import Pages, Rows
from ragctx.errors import ConfigError, UnknownName

if TYPE_CHECKING:
    import torch

    Halves = tuple[torch.Tensor, torch.Tensor]


def _kv_first(cache: torch.Tensor) -> Halves:
    return cache[0].transpose(1, 2), cache[1].transpose(1, 2)


def _pages_first(cache: torch.Tensor) -> Halves:
    return cache[:, 0].transpose(1, 2), cache[:, 1].transpose(1, 2)


def _packed(cache: torch.Tensor) -> Halves:
    keys, values = cache.chunk(2, -1)
    return keys, values


def _transposed(cache: torch.Tensor) -> Halves:
    pages, heads, page, both = cache.shape
    if cache.stride()[2:] != (both, 1):
        raise ConfigError(f"pages of transposed keys must be dense, the strides of this cache are {cache.stride()}")
    size, width = (pages, heads, page, both // 2), both // 2
    start, strides = cache.storage_offset(), cache.stride()[:2]
    keys = cache.as_strided(size, (*strides, 1, page), start)
    return keys, cache.as_strided(size, (*strides, width, 1), start + page * width)


LAYOUTS: dict[str, tuple[int, Callable[[torch.Tensor], Halves]]] = {
    "kv-first": (5, _kv_first),  # [2, pages, page, KV heads, width]
    "pages-first": (5, _pages_first),  # [pages, 2, page, KV heads, width]
    "packed": (4, _packed),  # [pages, KV heads, page, 2 * width], keys then values in each row
    "transposed": (4, _transposed),  # likewise in shape, of each page and head first the keys as [width, page]
}
"""How many dimensions a cache of each layout has, and its keys and values."""


@dataclass(frozen=True, slots=True)
class Paged:
    """Keys and values in pages of any layout.

    Attributes:
        keys: [pages, KV heads, page, width], any strides. values: likewise.
        table: int32 [requests, most pages], which pages a request has, in order. It is trusted: to check it would
            wait for the device.

    Example:
        >>> import torch
        >>> held = Paged.of(torch.zeros(2, 9, 16, 3, 64), torch.zeros(1, 4, dtype=torch.int32), "kv-first")
        >>> held.keys.shape
        torch.Size([9, 3, 16, 64])
    """

    keys: torch.Tensor
    values: torch.Tensor
    table: torch.Tensor

    @classmethod
    def of(cls, cache: torch.Tensor, table: torch.Tensor, layout: str) -> Paged:
        """A cache of a layout of `LAYOUTS`.

        Raises:
            ConfigError: there is no such layout, or the cache has not its shape.
        """
        if layout not in LAYOUTS:
            raise UnknownName("layout", layout, LAYOUTS)
        dimensions, seen = LAYOUTS[layout]
        if cache.ndim != dimensions:
            raise ConfigError(
                f"a cache laid out {layout} has {dimensions} dimensions, this one is {tuple(cache.shape)}"
            )
        return cls(*seen(cache), table)


def probed(cache: torch.Tensor, slot: int, key: torch.Tensor, value: torch.Tensor) -> str:
    """The layout of a cache, told from a token just written to it by its owner.

    Args:
        cache: as the owner hands it out.
        slot: where the token was written, page number times page size plus place.
        key: of that token [KV heads, width], all numbers different from zero.
        value: likewise.

    Raises:
        ConfigError: no layout of `LAYOUTS` holds the token there.

    Example:
        >>> import torch
        >>> cache, key, value = torch.zeros(2, 2, 16, 3, 8), torch.randn(3, 8), torch.randn(3, 8)
        >>> cache[1, 0, 4], cache[1, 1, 4] = key, value
        >>> probed(cache, 20, key, value)
        'pages-first'
    """
    found = [name for name in LAYOUTS if _holds(cache, name, slot, key, value)]
    if len(found) != 1:
        raise ConfigError(
            f"the cache {tuple(cache.shape)} has none of the known layouts ({', '.join(LAYOUTS)}): "
            "use the backend's own attention"
        )
    return found[0]


def _holds(cache: torch.Tensor, layout: str, slot: int, key: torch.Tensor, value: torch.Tensor) -> bool:
    try:
        keys, values = (held := Paged.of(cache, cache, layout)).keys, held.values
    except ConfigError:
        return False
    heads, page, width = keys.shape[1:]
    if keys.shape != values.shape or (heads, width) != tuple(key.shape) or slot // page >= len(keys):
        return False
    at = (slot // page, slice(None), slot % page)
    return bool((keys[at] == key).all() and (values[at] == value).all())


@dataclass(frozen=True, slots=True)
class Addressed:
    """What a kernel is told of keys and values.

    Attributes:
        keys, values: tensors of which the kernel takes the address.
        table: int32, its rows dense; of pages as in `Paged`, of rows the first row of each request.
        page: tokens of a page, 0 of rows.
        strides: of keys, then of values: of a page (of rows: of a row), a head, a token and a dimension.
    """

    keys: torch.Tensor
    values: torch.Tensor
    table: torch.Tensor
    page: int
    strides: tuple[int, ...]


def addressed(held: Rows | Pages | Paged) -> Addressed:
    """Rows or pages as a kernel takes them; the rows of several requests are copied into one tensor."""
    if isinstance(held, Rows):
        return _rows(held)
    paged = Paged.of(held.cache, held.table, "transposed") if isinstance(held, Pages) else held
    page = paged.keys.shape[2]
    strides = (*paged.keys.stride(), *paged.values.stride())
    table = paged.table if paged.table.stride(-1) == 1 else paged.table.contiguous()
    return Addressed(paged.keys, paged.values, table, page, strides)


def _rows(held: Rows) -> Addressed:
    import torch

    keys, values = (each[0] if len(each) == 1 else torch.cat(list(each)) for each in (held.keys, held.values))
    lengths = torch.tensor([0, *(len(key) for key in held.keys[:-1])], dtype=torch.int32)
    strides = tuple(stride for part in (keys, values) for stride in (part.stride(0), *_last(part)))
    return Addressed(keys, values, lengths.cumsum(0, dtype=torch.int32).to(keys.device), 0, strides)


def _last(part: torch.Tensor) -> tuple[int, int, int]:
    return part.stride(1), part.stride(0), part.stride(2)
