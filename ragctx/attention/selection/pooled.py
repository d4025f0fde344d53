"""The tiles whose mean keys fit the mean queries best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ragctx.attention.extents import BLOCK
from ragctx.attention.selection.evidence import Evidence, means
from ragctx.attention.selection.rule import Budgeted, Mask, a_share, best, by_part, by_rows, covering, shares
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Pooled(Budgeted):
    """The best tiles by scores of means: some queries of a tile together, some keys together.

    A mean over a whole tile of 64 is nearly blind to a single key that matters, so parts of a tile are scored each for
    itself. Each head's and part's scores become shares of its softmax over the past; a tile counts what it is worth to
    the part that needs it most, so that no head of a group is outvoted.

    Attributes:
        budget, growth: see `Budgeted`.
        queries: tokens of a mean of queries. keys: tokens of a mean of keys. Both divide 64.
        coverage: more tiles are taken until their estimated share of the past is as large; 0 takes the budget alone.

    Raises:
        ConfigError: a setting out of range.

    Example:
        >>> import torch
        >>> from ragctx.attention import Extent
        >>> from ragctx.attention.selection.evidence import TensorKeys
        >>> query, keys = torch.zeros(64, 1, 16), torch.zeros(640, 1, 16)
        >>> query[..., 0], keys[200:204, 0, 0] = 9, 9
        >>> Pooled(budget=64).mask(Evidence(Extent(64, 640), query, TensorKeys(keys))).nonzero()[2].tolist()
        [3]
    """

    name: ClassVar[str] = "pooled"
    queries: int = 16
    keys: int = 16
    coverage: float = 0.0

    def __post_init__(self) -> None:
        Budgeted.__post_init__(self)
        for size in (self.queries, self.keys):
            if size < 1 or BLOCK % size:
                raise ConfigError(f"means of {size} tokens: give a divisor of {BLOCK}")
        a_share(self, "coverage")

    def mask(self, seen: Evidence) -> Mask:
        """See `Rule`."""
        extent = seen.extent
        parts = (
            seen.keys.means()[: extent.base + extent.tiles - 1] if self.keys == BLOCK else means(seen.past(), self.keys)
        )
        parts = by_part(parts, BLOCK // self.keys)

        def choose(head: int, queries: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
            worth = pooled(queries, parts[:, head].float(), own, self, seen.factor)
            counts = self.counts(own)
            return covering(worth, own, self.coverage, counts) if self.coverage else best(worth, own, counts)

        return by_rows(seen, choose)


def pooled(queries: torch.Tensor, parts: torch.Tensor, own: torch.Tensor, sizes: Pooled, factor: float) -> torch.Tensor:
    """What each earlier tile is worth to the part of a query tile that needs it most, [rows, tiles].

    Args:
        queries: [group, rows, 64, width].
        parts: mean keys [parts, width], in the order of `by_part`.
        own: tile of each row.
        sizes: of the means.
        factor: of scores.
    """
    asked = queries.unflatten(2, (-1, sizes.queries)).mean(3) * factor
    scores = (asked @ parts.T).unflatten(-1, (BLOCK // sizes.keys, -1))
    return shares(scores, own).amax(2).amax(0)  # one after the other is many times faster
