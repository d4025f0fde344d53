"""How much of the attention a selection keeps: some rows computed both ways, their shares as a running figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ragctx.attention.extents import BLOCK, Extent
from ragctx.attention.index import BlockIndex
from ragctx.attention.merge import kept
from ragctx.attention.selection.evidence import Evidence
from ragctx.errors import ConfigError, InputError

if TYPE_CHECKING:
    import torch

BINS = 1000
"""Of the histogram: a percentile is exact to a thousandth."""

TURN = 29
"""By how many places the query that is measured moves on within its tile, from one to the next."""

SPAN = 8192
"""Keys scored at a time: what is in memory is one row of queries by as many."""


@dataclass(slots=True)
class Kept:
    """The shares of some rows, of which only sums and a histogram are held.

    Attributes:
        rows: how many there were. total: their sum. bins: how many fell between two thousandths.

    Example:
        >>> figure = Kept()
        >>> figure.add(np.array([1.0] * 95 + [0.5] * 5))
        >>> round(figure.mean, 3), figure.percentile(4), figure.percentile(50)
        (0.975, 0.5, 0.999)
    """

    rows: int = 0
    total: float = 0.0
    bins: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, shares: NDArray[np.float64]) -> None:
        """Take in some rows' shares, 0 to 1.

        Raises:
            InputError: one is no such share.
        """
        if not ((shares >= 0) & (shares <= 1)).all():
            raise InputError("a kept share is not a number from 0 to 1: look for inf or nan in the queries and keys")
        self.rows += shares.size
        self.total += float(shares.sum())
        self.bins += np.bincount(np.minimum((shares.ravel() * BINS + 1e-9).astype(np.int64), BINS - 1), minlength=BINS)

    def __add__(self, other: Kept) -> Kept:
        return Kept(self.rows + other.rows, self.total + other.total, self.bins + other.bins)

    @property
    def mean(self) -> float:
        """The mean share; 1 where nothing was measured."""
        return self.total / self.rows if self.rows else 1.0

    def percentile(self, percent: float) -> float:
        """What so many per cent of the rows reach or stay below, rounded down to a thousandth; 1 without rows."""
        if not self.rows:
            return 1.0
        return int(np.searchsorted(self.bins.cumsum(), max(self.rows * percent / 100, 1))) / BINS


@dataclass(slots=True)
class Masses:
    """The kept mass of each layer, measured on one query of every so many tiles.

    Which queries those are follows from absolute positions: a prompt gives the same ones however it is cut, each once,
    at another place in the tile each time. They stand in the middle between multiples of `every` tiles, far from where
    chunks end, whose last rows see everything: measured there, a selection would look better than it is.

    Attributes:
        every: tiles between two that are measured; 16 of them measure one query in 1,024, of all heads.
        layers: the figures by number of layer.

    Raises:
        ConfigError: `every` is not a whole number from 1.

    Example:
        >>> import torch
        >>> from ragctx.attention import Extent
        >>> from ragctx.attention.selection.evidence import TensorKeys
        >>> seen = Evidence(Extent(2048, 2048), torch.zeros(2048, 4, 16), TensorKeys(torch.zeros(2048, 2, 16)), layer=3)
        >>> masses = Masses()
        >>> masses.measure(seen, BlockIndex.chosen([seen.extent], 2, lambda request, head, tile: [tile]))
        >>> masses.figures()
        {3: {'rows': 8, 'mean': 0.05, 'p5': 0.038}}
    """

    every: int = 16
    layers: dict[int, Kept] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.every, int) or isinstance(self.every, bool) or self.every < 1:
            raise ConfigError(f"kept mass of every {self.every!r} tiles: give a whole number from 1")

    def places(self, extent: Extent) -> Iterator[int]:
        """The positions among the queries of a call that are measured."""
        first = extent.base + (self.every // 2 - extent.base) % self.every
        for tile in range(first, extent.base + extent.tiles, self.every):
            place = tile * BLOCK + (tile // self.every * TURN + BLOCK // 2) % BLOCK
            if extent.first <= place < extent.keys:
                yield place

    def measure(self, seen: Evidence, index: BlockIndex, request: int = 0) -> None:
        """Compute some queries densely and by their rows of the index, all heads, and take in the shares kept.

        Args:
            seen: the request.
            index: the call's.
            request: its number in the index.
        """
        for place in self.places(seen.extent):
            tile = place // BLOCK - seen.extent.base
            rows = [index.row(request, head, tile) for head in range(index.heads)]
            figure = self.layers.setdefault(seen.layer, Kept())
            figure.add(shares(seen, place, rows).numpy().astype(np.float64))

    def __add__(self, other: Masses) -> Masses:
        layers = {
            layer: self.layers.get(layer, Kept()) + other.layers.get(layer, Kept())
            for layer in {**self.layers, **other.layers}
        }
        return Masses(self.every, layers)

    @property
    def all(self) -> Kept:
        """All layers together."""
        return sum(self.layers.values(), Kept())

    def figures(self) -> dict[int, dict[str, float]]:
        """Of each layer that was measured the number of rows, their mean share, and the 5th percentile."""
        return {
            layer: {"rows": kept.rows, "mean": round(kept.mean, 3), "p5": kept.percentile(5)}
            for layer, kept in sorted(self.layers.items())
        }


def shares(seen: Evidence, place: int, rows: list[NDArray[np.int32]]) -> torch.Tensor:
    """The share of attention that one query keeps, float32 [heads], from two log-sum-exps.

    Args:
        seen: what there is.
        place: position of the query.
        rows: the key tiles it sees, of each KV head.
    """
    import torch

    query = seen.query[place - seen.extent.first].float().unflatten(0, (len(rows), -1)) * seen.factor
    dense = torch.full(query.shape[:2], -torch.inf, device=query.device)
    sparse = dense.clone()
    tiles = np.zeros((len(rows), place // BLOCK + 1), bool)
    for head, row in enumerate(rows):
        tiles[head, row] = True
    seen_by = torch.from_numpy(tiles).to(query.device).repeat_interleave(BLOCK, 1)[:, None]
    for begin in range(0, place + 1, SPAN):
        end = min(begin + SPAN, place + 1)
        scores = torch.einsum("hgd,khd->hgk", query, seen.keys.rows(begin, end).float())
        dense = torch.logaddexp(dense, scores.logsumexp(-1))
        part = scores.masked_fill(~seen_by[:, :, begin:end], -torch.inf)
        sparse = torch.logaddexp(sparse, part.logsumexp(-1))
    return kept(sparse, dense).flatten().cpu()
