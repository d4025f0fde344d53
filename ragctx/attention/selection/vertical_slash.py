"""Tiles crossed by the columns and diagonals in which a tile's attention stands out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ragctx.attention.extents import BLOCK
from ragctx.attention.selection.evidence import Evidence
from ragctx.attention.selection.refined import refined
from ragctx.attention.selection.rule import Budgeted, Mask, a_share, at_least, by_rows, earlier
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    import torch

ALL = 1 << 62
"""More columns or diagonals than there are."""


@dataclass(frozen=True, slots=True)
class VerticalSlash(Budgeted):
    """Outstanding columns and diagonals, after MInference (arXiv 2407.02490) as refined for Qwen2.5-1M (2501.15383).

    Some queries of each tile look at all of its past. Their attention is summed down the columns (a key that all look
    at) and along the diagonals (a distance at which all look). A tile is worth what the highest of these columns and
    diagonals bring into it, a diagonal by the part of the queries that it takes there. Then tiles are added until the
    sampled queries of each head keep a share of their attention, head by head and row by row, where the paper searches
    fixed budgets beforehand. The sample is the tile's own rather than the end of a chunk: a cut changes nothing.

    Attributes:
        budget, growth: tokens that every row sees, see `Budgeted`.
        columns, diagonals: how many of them count, those with most attention; 0 leaves them out.
        every: one query in so many is looked at, the last one of each so many; a divisor of 64.
        coverage: more tiles are taken until each head's sample keeps this share; 0 takes the budget alone.

    Raises:
        ConfigError: a setting out of range.

    Example:
        >>> import torch
        >>> from ragctx.attention import Extent
        >>> from ragctx.attention.selection.evidence import TensorKeys
        >>> query, keys = torch.zeros(64, 1, 16), torch.zeros(640, 1, 16)
        >>> query[..., 0], keys[200, 0, 0] = 9, 9
        >>> VerticalSlash(budget=64).mask(Evidence(Extent(64, 640), query, TensorKeys(keys))).nonzero()[2].tolist()
        [3]
    """

    name: ClassVar[str] = "vertical-slash"
    budget: int = 1024
    columns: int = 1024
    diagonals: int = 1024
    every: int = 8
    coverage: float = 0.9

    def __post_init__(self) -> None:
        Budgeted.__post_init__(self)
        at_least(self, "columns", 0)
        at_least(self, "diagonals", 0)
        sampled(self.name, self.every)
        a_share(self, "coverage")

    def mask(self, seen: Evidence) -> Mask:
        """See `Rule`."""
        import torch

        past = seen.past()

        def choose(head: int, queries: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
            keys = past[: int(own[-1]) * BLOCK, head].float()  # none of these rows sees more
            worth, mass = [], []
            for chances in looks(queries, keys, own, self.every, seen.factor):
                mass.append(by_tile(chances.mean(1)))
                lines = crossed(chances, self.columns, self.diagonals)
                worth.append(lines.double() + 1e-9 * mass[-1])  # where no line goes, the sample decides
            chosen = refined(torch.stack(worth), torch.stack(mass), own, self.coverage, self.counts(own))
            return torch.nn.functional.pad(chosen, (0, (len(past) - len(keys)) // BLOCK))

        return by_rows(seen, choose)


def sampled(name: str, every: int) -> None:
    """Refuse what no sample can be taken by.

    Raises:
        ConfigError: `every` does not divide 64.
    """
    if every < 1 or BLOCK % every:
        raise ConfigError(f"every {every} of {name}: give a divisor of {BLOCK}")


def looks(
    queries: torch.Tensor, keys: torch.Tensor, own: torch.Tensor, every: int, factor: float
) -> Iterator[torch.Tensor]:
    """What some queries of each tile give to each key before it, a head at a time: [rows, samples, keys].

    Args:
        queries: [group, rows, 64, width].
        keys: [keys, width], of whole tiles.
        own: tile of each row.
        every: one query in so many.
        factor: of scores.
    """
    import torch

    before = earlier(own, len(keys) // BLOCK).repeat_interleave(BLOCK, 1)[:, None]
    for head in queries[:, :, every - 1 :: every] * factor:
        yield (head @ keys.T).masked_fill_(~before, -torch.inf).softmax(-1).nan_to_num_(0.0)  # the first has no past


def by_tile(columns: torch.Tensor) -> torch.Tensor:
    """Sums over the keys of each tile, [rows, tiles]."""
    return columns.unflatten(-1, (-1, BLOCK)).sum(-1)


def crossed(chances: torch.Tensor, columns: int, diagonals: int) -> torch.Tensor:
    """What the highest columns and diagonals bring into each tile, [rows, tiles], of looks [rows, samples, keys].

    Each look counts as its column's or as its diagonal's, whichever holds more, so that a key which all see is not
    taken for as many diagonals. A diagonal that query 0 of the tile meets at `within` of a key tile ends up there with
    64 - within of the tile's queries, and with the others in the next.
    """
    import torch

    samples, keys = chances.shape[1:]
    upright, slanted = chances.mean(1), chances.new_zeros(len(chances), keys + BLOCK)
    every = BLOCK // samples
    places = [slice(BLOCK + 1 - every * number, BLOCK + 1 - every * number + keys) for number in range(1, samples + 1)]
    for number, place in enumerate(places):  # by the key of query 0, counted from one tile before the first
        slanted[:, place] += chances[:, number] / samples
    down, along = torch.zeros_like(upright), torch.zeros_like(slanted)
    for number, place in enumerate(places):
        own = chances[:, number] * (upright >= slanted[:, place]) / samples
        down += own
        along[:, place] += chances[:, number] / samples - own
    lines = highest(along, diagonals).unflatten(1, (-1, BLOCK))
    within = torch.arange(BLOCK, device=lines.device) / BLOCK
    return by_tile(highest(down, columns)) + lines[:, 1:] @ (1 - within) + lines[:, :-1] @ within


def highest(values: torch.Tensor, count: int) -> torch.Tensor:
    """The `count` highest of each row and what equals the last of them; 0 for all others."""
    if count >= values.shape[1]:
        return values
    if not count:
        return values * 0
    return values * (values >= values.topk(count, dim=1).values[:, -1:])
