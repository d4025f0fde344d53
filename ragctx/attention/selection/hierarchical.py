"""Spans of the past halved again and again, the best of them kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ragctx.attention.extents import BLOCK
from ragctx.attention.selection.evidence import Evidence
from ragctx.attention.selection.rule import Budgeted, Mask, best, by_rows
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    import torch

EVERY = 16
"""One query in so many is asked, the last one of each so many."""


@dataclass(frozen=True, slots=True)
class Hierarchical(Budgeted):
    """The best spans by a key in their middle, halved down to tiles, after HiP (arXiv 2406.09827).

    Spans stand at multiples of their own length from the sequence's beginning. At each length the best ones of those
    still in play are kept, as many as the row gets tiles. A span that reaches beyond the past is kept until its halves
    do not. One key stands for a span: what it does not resemble is missed.

    Attributes:
        budget, growth: see `Budgeted`. levels: how often spans are halved; the longest are of 2 ** levels tiles.

    Raises:
        ConfigError: a setting out of range.

    Example:
        >>> import torch
        >>> from ragctx.attention import Extent
        >>> from ragctx.attention.selection.evidence import TensorKeys
        >>> query, keys = torch.zeros(64, 1, 16), torch.zeros(640, 1, 16)
        >>> query[..., 0], keys[128:256, 0, 0] = 9, 9
        >>> Hierarchical(budget=128).mask(Evidence(Extent(64, 640), query, TensorKeys(keys))).nonzero()[2].tolist()
        [2, 3]
    """

    name: ClassVar[str] = "hierarchical"
    levels: int = 2

    def __post_init__(self) -> None:
        Budgeted.__post_init__(self)
        if not 0 <= self.levels <= 16:
            raise ConfigError(f"levels {self.levels} of {self.name}: give 0 to 16")

    def mask(self, seen: Evidence) -> Mask:
        """See `Rule`."""
        import torch

        past = seen.past()
        tiles = len(past) // BLOCK

        def choose(head: int, queries: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
            counts, asked = self.counts(own), queries[:, :, EVERY - 1 :: EVERY] * seen.factor
            kept = torch.ones(len(own), tiles, dtype=torch.bool, device=queries.device)
            for level in range(self.levels, -1, -1):
                spans = -(-tiles // 2**level)
                size = BLOCK * 2**level
                middles = (torch.arange(spans) * size + size // 2).clamp(max=len(past) - 1).to(past.device)
                scores = (asked @ past[middles, head].float().T).amax((0, 2))
                whole = own // 2**level
                alive = kept[:, :: 2**level]
                chosen = best(scores.masked_fill(~alive, -torch.inf), whole, counts) & alive
                chosen |= alive & (torch.arange(spans, device=own.device) >= whole[:, None])
                kept = kept & chosen.repeat_interleave(2**level, 1)[:, :tiles]
            return kept & (torch.arange(tiles, device=own.device) < own[:, None])

        return by_rows(seen, choose)
