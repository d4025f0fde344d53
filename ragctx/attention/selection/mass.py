"""How much of the attention a selection keeps: some rows computed both ways, their shares as a running figure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ragctx.attention.extents import BLOCK
from ragctx.attention.index import BlockIndex
from ragctx.attention.merge import kept
from ragctx.attention.selection.evidence import Evidence

if TYPE_CHECKING:
    import torch

BINS = 1000
"""Of the histogram: a percentile is exact to a thousandth."""

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
        """Take in some rows' shares, 0 to 1."""
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
    """The kept mass of each layer, measured on every so many rows.

    Attributes:
        every: tiles between two that are measured, at positions that no cut into chunks changes.
        layers: the figures by number of layer.
    """

    every: int = 16
    layers: dict[int, Kept] = field(default_factory=dict)

    def measure(self, seen: Evidence, index: BlockIndex, request: int = 0) -> None:
        """Compute the last query of every so-manieth tile densely and by its row, all heads.

        Args:
            seen: the request.
            index: the call's.
            request: its number in the index.
        """
        extent, figure = seen.extent, self.layers.setdefault(seen.layer, Kept())
        for tile in range(-(extent.base + 1) % self.every, extent.tiles, self.every):
            place = extent.tile(tile)[1] - 1
            rows = [index.row(request, head, tile) for head in range(index.heads)]
            figure.add(shares(seen, place, rows).numpy().astype(np.float64))

    @property
    def all(self) -> Kept:
        """All layers together."""
        return sum(self.layers.values(), Kept())


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
