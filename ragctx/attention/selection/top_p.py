"""As many tiles as hold a share of the attention, told by means where means tell the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ragctx.attention.extents import BLOCK
from ragctx.attention.selection.evidence import Evidence
from ragctx.attention.selection.refined import refined
from ragctx.attention.selection.rule import Budgeted, Mask, by_rows, shares
from ragctx.attention.selection.vertical_slash import ALL, by_tile, crossed, looks, sampled
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class TopP(Budgeted):
    """Tiles up to a cumulative share, from means or from columns and diagonals, after FlexPrefill (arXiv 2502.20766).

    The mean query of a tile against mean keys says how attention is spread over tiles; some of the tile's queries say
    it truly. Where both agree, the root of their Jensen-Shannon divergence being small, the means decide
    (query-aware). Where not, the sample does: its columns, and its diagonals as far as they reach into other tiles for
    the queries between. That is asked for each head and each row of tiles by their own queries, where the paper asks
    for each head by the last ones.

    Attributes:
        budget, growth: tokens that every row sees, see `Budgeted`.
        gamma: share that each head's tiles hold together; 0 takes the budget alone.
        tau: root of the divergence (natural logarithm, at most 0.83) from which on means are not believed; 0 never
            believes them, 1 always does.
        every: one query in so many is looked at, the last one of each so many; a divisor of 64.

    Raises:
        ConfigError: a setting out of range.

    Example:
        >>> import torch
        >>> from ragctx.attention import Extent
        >>> from ragctx.attention.selection.evidence import TensorKeys
        >>> query, keys = torch.zeros(64, 1, 16), torch.zeros(640, 1, 16)
        >>> query[..., 0], keys[200, 0, 0] = 9, 9
        >>> TopP(budget=64).mask(Evidence(Extent(64, 640), query, TensorKeys(keys))).nonzero()[2].tolist()
        [3]
    """

    name: ClassVar[str] = "top-p"
    budget: int = 1024
    gamma: float = 0.9
    tau: float = 0.1
    every: int = 16

    def __post_init__(self) -> None:
        Budgeted.__post_init__(self)
        sampled(self.name, self.every)
        for setting in ("gamma", "tau"):
            if not 0 <= getattr(self, setting) <= 1:
                raise ConfigError(f"{setting} {getattr(self, setting)} of {self.name}: give a number from 0 to 1")

    def mask(self, seen: Evidence) -> Mask:
        """See `Rule`."""
        import torch

        past = seen.past()

        def choose(head: int, queries: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
            keys = past[: int(own[-1]) * BLOCK, head].float()  # none of these rows sees more
            tiles = keys.unflatten(0, (-1, BLOCK)).mean(1)
            means = queries.mean(2, keepdim=True) @ tiles.T * seen.factor
            told = shares(means[..., None, :], own)[:, :, 0]
            mass = []
            for chances, each in zip(looks(queries, keys, own, self.every, seen.factor), told, strict=True):
                believed = apart(each, by_tile(chances.mean(1))) < self.tau
                mass.append(torch.where(believed[:, None], each, crossed(chances, ALL, ALL)))
            spread = torch.stack(mass)
            chosen = refined(spread, spread, own, self.gamma, self.counts(own))
            return torch.nn.functional.pad(chosen, (0, (len(past) - len(keys)) // BLOCK))

        return by_rows(seen, choose)


def apart(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """The root of the Jensen-Shannon divergence of rows that sum to 1, [rows].

    Example:
        >>> import torch
        >>> same, half, none = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])[:, None]
        >>> [round(float(apart(same, other)), 3) for other in (same, half, none)]
        [0.0, 0.465, 0.833]
    """
    import torch

    middle = ((one + other) / 2).clamp(min=torch.finfo(one.dtype).tiny)
    parts = torch.xlogy(one, one / middle) + torch.xlogy(other, other / middle)
    return (parts.sum(-1) / 2).clamp(min=0.0).sqrt()
