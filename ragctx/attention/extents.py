"""What of a sequence one call computes, and how it falls into tiles."""

from __future__ import annotations

from dataclasses import dataclass

from ragctx.errors import ConfigError

BLOCK = 64
"""Tokens of a tile, for queries and keys alike."""


@dataclass(frozen=True, slots=True)
class Extent:
    """One request in a call: its last `queries` tokens look at its `keys` tokens, themselves among them.

    A first chunk has as many queries as keys, a later chunk fewer, a decoding step one. Tiles are cut at absolute
    positions, not at the chunk's beginning, so that a selection cannot depend on how a prompt was cut into chunks: the
    first tile of a chunk may be a part of one.

    Attributes:
        queries: tokens computed now, at least 1. keys: tokens of the sequence so far, not fewer.

    Raises:
        ConfigError: there are no queries, or more than keys.

    Example:
        >>> chunk = Extent(queries=100, keys=300)
        >>> chunk.first, chunk.tiles, [chunk.tile(n) for n in range(chunk.tiles)]
        (200, 2, [(200, 256), (256, 300)])
    """

    queries: int
    keys: int

    def __post_init__(self) -> None:
        if not 1 <= self.queries <= self.keys:
            raise ConfigError(
                f"{self.queries} queries and {self.keys} keys: each request needs a query, and its key among the keys"
            )

    @property
    def first(self) -> int:
        """Position of the first query."""
        return self.keys - self.queries

    @property
    def base(self) -> int:
        """Number of the tile that the first query stands in."""
        return self.first // BLOCK

    @property
    def tiles(self) -> int:
        """Tiles with queries."""
        return -(-self.keys // BLOCK) - self.base

    def tile(self, number: int) -> tuple[int, int]:
        """Positions [begin, end) of the queries of the tile `number`, counted from the chunk's first."""
        begin = (self.base + number) * BLOCK
        return max(begin, self.first), min(begin + BLOCK, self.keys)

    def pairs(self) -> int:
        """Query-key tiles of dense causal attention, the unit of a density."""
        return self.tiles * self.base + self.tiles * (self.tiles + 1) // 2
