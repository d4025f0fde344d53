"""Clusters of keys that resemble each other, made once for what is finished, kept whole where they are sought."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ragctx.attention.extents import BLOCK
from ragctx.attention.selection.evidence import Evidence
from ragctx.attention.selection.rule import Mask, Settled, at_least, by_rows
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    import torch

EVERY = 16
"""One query in so many is asked, the last one of each so many."""

TURN = 7
"""By how many places the key that begins a cluster moves on among its `size`, lest a text have that period."""


@dataclass(frozen=True, slots=True)
class Centroids(Settled):
    """Tiles that hold keys of sought clusters, after Squeezed Attention (arXiv 2411.09688).

    The keys of a text that is there already are clustered by their directions, for each KV head. A query is scored
    against the mean keys of the clusters alone; clusters whose keys it would give more than so many times the average
    are kept whole, and with them the tiles that they stand in. The paper has one fixed document: here a text is a row
    of finished parts, each clustered for itself and by nothing but its own keys, so that a cut changes nothing. What
    stands in the unfinished part is seen. A key is judged by its cluster: one among keys that are unlike it, as where
    the border of two parts cuts a short passage, is worth less than it is.

    Attributes:
        part: tokens of a part, in multiples of 64. size: mean tokens of a cluster, a divisor of 64.
        threshold: by how much more than the average key a cluster's keys must get; the best cluster is always kept.
        rounds: of k-means.

    Raises:
        ConfigError: a setting out of range.

    Example:
        >>> import torch
        >>> from ragctx.attention import Extent
        >>> from ragctx.attention.selection.evidence import TensorKeys
        >>> query, keys = torch.zeros(64, 1, 16), torch.zeros(1088, 1, 16)
        >>> keys[:, 0, 1], query[..., 0], keys[200:216, 0] = 9, 9, 9 * torch.eye(16)[0]
        >>> Centroids(part=512).mask(Evidence(Extent(64, 1088), query, TensorKeys(keys))).nonzero()[2].tolist()
        [3]
    """

    name: ClassVar[str] = "centroids"
    part: int = 4096
    size: int = 16
    threshold: float = 4.0
    rounds: int = 4

    def __post_init__(self) -> None:
        Settled.__post_init__(self)
        at_least(self, "threshold", 0)
        at_least(self, "rounds", 0)
        if self.part < BLOCK or self.part % BLOCK:
            raise ConfigError(f"part {self.part} of {self.name}: give a multiple of {BLOCK}")
        if self.size < 1 or BLOCK % self.size:
            raise ConfigError(f"size {self.size} of {self.name}: give a divisor of {BLOCK}")

    def mask(self, seen: Evidence) -> Mask:
        """See `Rule`."""
        import torch

        past = seen.past()
        per_part, tiles = self.part // BLOCK, len(past) // BLOCK
        parts = [
            clustered(past[begin : begin + self.part].float(), self.part // self.size, self.rounds)
            for begin in range(0, len(past) - self.part + 1, self.part)
        ]

        def choose(head: int, queries: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
            finished = own // per_part
            number = torch.arange(tiles, device=own.device)
            chosen = (number >= finished[:, None] * per_part) & (number < own[:, None])
            if not parts:
                return chosen
            asked = queries[:, :, EVERY - 1 :: EVERY] * seen.factor
            middles, counts = (torch.stack([each[place][head] for each in parts]) for place in (0, 1))
            sought = self._sought(asked @ middles.flatten(0, 1).T, counts, finished)
            held = torch.stack([each[2][head] for each in parts]).float()
            wanted = torch.einsum("rpc,pct->rpt", sought.unflatten(1, counts.shape).float(), held) > 0
            chosen[:, : len(parts) * per_part] |= wanted.flatten(1)
            return chosen

        return by_rows(seen, choose)

    def _sought(self, scores: torch.Tensor, counts: torch.Tensor, finished: torch.Tensor) -> torch.Tensor:
        """The clusters that some head and query gives enough, bool [rows, parts * clusters].

        Args:
            scores: [group, rows, samples, parts * clusters].
            counts: keys of each cluster, [parts, clusters].
            finished: how many parts each row sees.
        """
        import torch

        there = torch.arange(len(counts), device=finished.device) < finished[:, None]
        alive = (there.repeat_interleave(counts.shape[1], 1) & (counts.flatten() > 0))[None, :, None]
        scores = scores.masked_fill(~alive, -torch.inf)
        total = (scores + counts.flatten().log()).masked_fill(~alive, -torch.inf).logsumexp(-1, keepdim=True)
        tokens = (finished * self.part).clamp(min=1).log()[None, :, None, None]
        least = math.log(self.threshold) if self.threshold else -math.inf
        enough = (scores - total + tokens >= least) | (scores >= scores.amax(-1, keepdim=True))
        return (enough & alive).any(2).any(0)


def clustered(keys: torch.Tensor, count: int, rounds: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Cosine k-means of each head's keys, begun with one key of every so many, at another place among them each time.

    A cluster that no key is left in begins anew with a key that fits its own cluster worst.

    Args:
        keys: float32 [tokens, KV heads, width].
        count: of clusters.
        rounds: how often they are moved.

    Returns:
        mean keys [KV heads, clusters, width], how many keys each has, and the tiles in which they stand,
        bool [KV heads, clusters, tiles].
    """
    import torch

    turned = keys.transpose(0, 1)
    units = torch.nn.functional.normalize(turned, dim=2)
    size, first = len(keys) // count, torch.arange(count, device=keys.device)
    middles = units[:, first * size + first * TURN % size]
    fits, own = (units @ middles.transpose(1, 2)).max(2)
    for _ in range(rounds):
        sums = torch.zeros_like(middles).scatter_add_(1, own[..., None].expand_as(units), units)
        empty = torch.nn.functional.one_hot(own, count).sum(1) == 0
        rank = (empty.cumsum(1) - 1).clamp(min=0)
        worst = fits.argsort(dim=1, stable=True).gather(1, rank)[..., None].expand_as(middles)
        moved = torch.nn.functional.normalize(sums, dim=2)
        middles = torch.where(empty[..., None], units.gather(1, worst), moved)
        fits, own = (units @ middles.transpose(1, 2)).max(2)
    counts = torch.nn.functional.one_hot(own, count).unflatten(1, (-1, BLOCK)).sum(2).transpose(1, 2)
    sums = torch.zeros_like(middles).scatter_add_(1, own[..., None].expand_as(turned), turned)
    return sums / counts.sum(2, keepdim=True).clamp(min=1), counts.sum(2), counts > 0
