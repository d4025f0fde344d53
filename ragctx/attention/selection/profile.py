"""What a calibration text says about layers and heads: which are lazy, and how wide a window each head needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ragctx.attention.extents import BLOCK
from ragctx.attention.selection.evidence import Evidence
from ragctx.attention.selection.head_table import HeadTable
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    import torch

ROWS = 64
"""Queries at the end of a text that are looked at."""


def by_tile(seen: Evidence, rows: int = ROWS) -> torch.Tensor:
    """The share of attention that each tile gets from the last queries, the mean of them, float32 [heads, tiles]."""
    import torch

    extent = seen.extent
    last = min(rows, extent.queries)
    keys = seen.keys.rows(0, extent.keys).float()
    query = seen.query[extent.queries - last :].float().unflatten(1, (seen.kv_heads, -1)) * seen.factor
    places = torch.arange(extent.keys - last, extent.keys, device=query.device)
    later = torch.arange(extent.keys, device=query.device) > places[:, None]
    heads = []
    for head in range(seen.kv_heads):  # one at a time bounds the memory
        scores = torch.einsum("qgd,kd->gqk", query[:, head], keys[:, head])
        heads.append(scores.masked_fill(later, -torch.inf).softmax(-1).mean(1))
    padded = torch.nn.functional.pad(torch.cat(heads), (0, -extent.keys % BLOCK))
    return padded.unflatten(1, (-1, BLOCK)).sum(-1)


def lazy_ratios(seen: Sequence[Evidence], sinks: int = 128, local: int = 1024, rows: int = ROWS) -> dict[int, float]:
    """The share of attention on the beginning and what is near, of each layer, as `laziest` takes it.

    The mean over all heads and the last queries, after LightTransfer (arXiv 2410.13846). Several texts give several
    pieces of evidence of one layer, whose mean is taken.

    Args:
        seen: of each layer, from a calibration pass.
        sinks: tokens at the beginning.
        local: tokens before the queries' own tiles.
        rows: queries that are asked.

    Raises:
        ConfigError: no evidence, or a text that sinks and window cover, of which every layer would look lazy.

    Example:
        >>> import torch
        >>> from ragctx.attention import Extent
        >>> from ragctx.attention.selection.evidence import TensorKeys
        >>> query, keys = torch.zeros(64, 1, 16), TensorKeys(torch.zeros(1280, 1, 16))
        >>> lazy_ratios([Evidence(Extent(64, 1280), query, keys, layer) for layer in (0, 1)], 64, 128, 1)
        {0: 0.2, 1: 0.2}
    """
    found: dict[int, list[float]] = {}
    for each in seen:
        tiles = each.extent.base + each.extent.tiles
        first, near = -(-sinks // BLOCK), -(-local // BLOCK) + -(-min(rows, each.extent.queries) // BLOCK)
        if first + near >= tiles:
            raise ConfigError(f"{each.extent.keys} tokens: give texts of more than sinks, window and rows together")
        mass = by_tile(each, rows).mean(0)
        found.setdefault(each.layer, []).append(min(float(mass[:first].sum() + mass[tiles - near :].sum()), 1.0))
    if not found:
        raise ConfigError("no evidence of any layer: give that of a calibration pass")
    return {layer: round(sum(shares) / len(shares), 6) for layer, shares in sorted(found.items())}


def needed(seen: Evidence, share: float, sinks: int = 128) -> list[int]:
    """The least windows in tokens, of whole tiles, that hold a share of the attention of all heads of each KV head.

    Args:
        seen: a layer's.
        share: 0 to 1, of what the last queries give on average, sinks counted.
        sinks: tokens at the beginning.
    """
    mass = by_tile(seen).double()
    first = min(-(-sinks // BLOCK), mass.shape[1])
    held = mass[:, :first].sum(1, keepdim=True) + mass[:, first:].flip(1).cumsum(1)
    tiles = (held < share - 1e-6).sum(1).unflatten(0, (seen.kv_heads, -1)).amax(1)
    return [int(count) * BLOCK for count in tiles]


def profiled(
    short: Mapping[int, Evidence], long: Mapping[int, Evidence], share: float = 0.95, sinks: int = 128
) -> HeadTable:
    """The table whose windows hold a share of attention at two lengths, on a line between them and beyond.

    A head that needs no more of the longer text gets a fixed window, the wider one; one whose need grows faster than
    the text gets a share of the text. So no window is narrower than what was measured at either length.

    Args:
        short: evidence of each layer, from 0, of a text.
        long: of a longer one.
        share: of each head's attention, above 0 to 1.
        sinks: tokens that all heads see.

    Raises:
        ConfigError: lengths that are no two, layers that differ, or a share that is none.

    Example:
        >>> import torch
        >>> from ragctx.attention import Extent
        >>> from ragctx.attention.selection.evidence import TensorKeys
        >>> def even(tokens):
        ...     return {0: Evidence(Extent(64, tokens), torch.zeros(64, 1, 16), TensorKeys(torch.zeros(tokens, 1, 16)))}
        >>> profiled(even(1280), even(2560), share=0.5, sinks=0).table
        (((0.0, 0.5),),)
    """
    if not 0 < share <= 1:
        raise ConfigError(f"share {share} of attention: give a number above 0, at most 1")
    if not short or sorted(short) != sorted(long) or sorted(short) != list(range(len(short))):
        raise ConfigError("a head table needs evidence of every layer from 0, at both lengths")
    table = []
    for layer in range(len(short)):
        lengths = short[layer].extent.keys, long[layer].extent.keys
        if lengths[0] >= lengths[1]:
            raise ConfigError(f"lengths {lengths[0]} and {lengths[1]}: give a text and a longer one")
        both = zip(needed(short[layer], share, sinks), needed(long[layer], share, sinks), strict=True)
        table.append(tuple(_line(*spans, *lengths) for spans in both))
    return HeadTable(table=tuple(table), sinks=sinks)


def _line(one: int, other: int, short: int, long: int) -> tuple[float, float]:
    """Alpha and beta through both, none below 0."""
    beta = max(other - one, 0) / (long - short)
    alpha = max(one, other) - beta * long
    if other <= one:
        return float(one), 0.0
    return (alpha, beta) if alpha >= 0 and beta <= 1 else (0.0, min(other / long, 1.0))
