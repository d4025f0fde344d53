"""The sequence's beginning and what stands just before a query, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ragctx.attention.extents import BLOCK, Extent
from ragctx.attention.selection.evidence import Evidence
from ragctx.attention.selection.rule import Mask, Settled, at_least


@dataclass(frozen=True, slots=True)
class Streaming(Settled):
    """Sinks and a window, by position alone, after LM-Infinite (arXiv 2308.16137) and StreamingLLM (arXiv 2309.17453).

    What stands in the middle is never seen: cheap, fluent, and blind. It is the control that other rules must beat.

    Attributes:
        sinks: tokens at the beginning. local: tokens before the query tile.

    Example:
        >>> floors(Extent(320, 320), 64, 64).sum(-1).tolist()
        [1, 2, 3, 3, 3]
    """

    name: ClassVar[str] = "streaming"
    sinks: int = 128
    local: int = 1024

    def __post_init__(self) -> None:
        Settled.__post_init__(self)
        at_least(self, "sinks", 0)
        at_least(self, "local", 0)

    def mask(self, seen: Evidence) -> Mask:
        """See `Rule`."""
        return np.repeat(floors(seen.extent, self.sinks, self.local)[None], seen.kv_heads, 0)


def floors(extent: Extent, sinks: int, local: int) -> NDArray[np.bool_]:
    """The tiles that hold the first `sinks` tokens, the `local` before a query tile, and itself.

    Returns:
        [query tiles, key tiles].
    """
    own = extent.base + np.arange(extent.tiles)[:, None]
    tiles = np.arange(extent.base + extent.tiles)
    near = (tiles >= own - -(-local // BLOCK)) & (tiles <= own)
    return near | ((tiles < -(-sinks // BLOCK)) & (tiles <= own))
