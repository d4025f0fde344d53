"""What a selection rule is shown where positions are told by dual chunks: scores of distances that training has shown.

A rule that scored queries and keys at their true positions would, far back, judge by distances the model never saw.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ragctx.attention.extents import BLOCK
from ragctx.attention.positions.dual import DualChunk
from ragctx.attention.positions.rotation import Rotation

if TYPE_CHECKING:
    import torch

    from ragctx.attention.selection.evidence import Evidence, Keys


def shown(seen: Evidence, dual: DualChunk, rotation: Rotation) -> Evidence:
    """The evidence as dual chunk attention sees it: every piece as if it stood at the text's beginning.

    That is exact for all pieces but the queries' own and the one before it, whose nearest part a policy keeps anyway.
    What a row is chosen by still depends on nothing but its queries, the keys before it, and absolute positions.

    Args:
        seen: with queries and keys rotated to their true positions.
        dual: how positions are told.
        rotation: the model's.
    """
    places = np.arange(seen.extent.first, seen.extent.keys)
    query = rotation.turned(seen.query, dual.turns(places, 0))
    return replace(seen, query=query, keys=_Turned(seen.keys, seen.extent.keys, dual.stride, rotation))


@dataclass(frozen=True, slots=True)
class _Turned:
    """Keys of which each has its place in its own piece."""

    keys: Keys
    count: int
    stride: int
    rotation: Rotation

    def rows(self, begin: int, end: int) -> torch.Tensor:
        """Keys [begin, end), [n, KV heads, width]."""
        return self._back(self.keys.rows(begin, end), np.arange(begin, end))

    def means(self) -> torch.Tensor:
        """The mean key of each tile, [tiles, KV heads, width]: no tile lies in two pieces, so means turn as keys do."""
        means = self.keys.means()
        return self._back(means, np.arange(len(means)) * BLOCK)

    def bounds(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The least and the greatest of each number in each tile, [tiles, KV heads, width]."""
        import torch

        tiles = self.rows(0, self.count).split(BLOCK)
        return torch.stack([tile.amin(0) for tile in tiles]), torch.stack([tile.amax(0) for tile in tiles])

    def _back(self, states: torch.Tensor, places: NDArray[np.int64]) -> torch.Tensor:
        return self.rotation.turned(states, -(places // self.stride) * self.stride)
