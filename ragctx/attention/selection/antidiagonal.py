"""Tiles by the sums of their antidiagonals: every query and every key of a small square counts once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ragctx.attention.extents import BLOCK
from ragctx.attention.selection.evidence import Evidence
from ragctx.attention.selection.refined import refined
from ragctx.attention.selection.rule import Budgeted, Mask, a_share, by_part, by_rows, shares
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Antidiagonal(Budgeted):
    """Tiles by strided antidiagonal scores, taken up to a share of their softmax, after XAttention (arXiv 2503.16428).

    A square of `stride` queries by `stride` keys is scored by the mean along its antidiagonal: the first query with the
    last key, and so on. That meets each query and each key once at one stride-th of the cost of all. Laid side by side
    in reverse order, the queries of a square meet its keys in a single product. What each row of squares gives to the
    past as a softmax is averaged over a tile. Every second row of squares takes the next antidiagonal, around the
    corner, other than in the paper: diagonals at every second distance pass between the cells of a single one.

    Attributes:
        budget, growth: tokens that every row sees, see `Budgeted`.
        stride: tokens of a square's side, a divisor of 64.
        coverage: more tiles are taken until each head has this share of its scores; 0 takes the budget alone.

    Raises:
        ConfigError: a setting out of range.

    Example:
        >>> import torch
        >>> from ragctx.attention import Extent
        >>> from ragctx.attention.selection.evidence import TensorKeys
        >>> query, keys = torch.zeros(64, 1, 16), torch.zeros(640, 1, 16)
        >>> query[..., 0], keys[200:204, 0, 0] = 9, 9
        >>> Antidiagonal(budget=64).mask(Evidence(Extent(64, 640), query, TensorKeys(keys))).nonzero()[2].tolist()
        [3]
    """

    name: ClassVar[str] = "antidiagonal"
    budget: int = 1024
    stride: int = 8
    coverage: float = 0.9

    def __post_init__(self) -> None:
        Budgeted.__post_init__(self)
        if self.stride < 1 or BLOCK % self.stride:
            raise ConfigError(f"stride {self.stride} of {self.name}: give a divisor of {BLOCK}")
        a_share(self, "coverage")

    def mask(self, seen: Evidence) -> Mask:
        """See `Rule`."""
        from torch.nn.functional import pad

        past, parts = seen.past(), BLOCK // self.stride

        def choose(head: int, queries: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
            keys = past[: int(own[-1]) * BLOCK, head].float()  # none of these rows sees more
            turned = by_part(keys.unflatten(0, (-1, self.stride)), parts).flatten(0, 1)
            scores = squares(queries, turned, self.stride).unflatten(-1, (parts, -1))
            mass = shares(scores * seen.factor, own).mean(2)
            chosen = refined(mass, mass, own, self.coverage, self.counts(own))
            return pad(chosen, (0, (len(past) - len(keys)) // BLOCK))

        return by_rows(seen, choose)


def squares(queries: torch.Tensor, keys: torch.Tensor, stride: int) -> torch.Tensor:
    """The mean product along the antidiagonal of each square, [group, rows, 64 / stride, keys / stride].

    In the second row of squares, the fourth and so on along the next one: query 0 with the last key but one, ..., and
    the last query with the last key.

    Args:
        queries: [group, rows, 64, width].
        keys: [keys, width], of whole tiles.
        stride: a square's side.
    """
    turned = queries.unflatten(2, (-1, stride)).flip(3)
    turned[:, :, 1::2] = turned[:, :, 1::2].roll(-1, 3)
    return turned.flatten(3) @ (keys.unflatten(0, (-1, stride)).flatten(1).T / stride)
