"""What a selection rule is, and what rules that score tiles share: budgets by length, best tiles, a share covered.

The row of a query tile depends on that tile's own queries, the keys of the tiles before it, and absolute positions:
how a prompt is cut into chunks is nothing that a rule can see.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ragctx.attention.extents import BLOCK
from ragctx.attention.selection.evidence import Evidence
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    import torch

Mask = NDArray[np.bool_]
"""[KV heads, query tiles, key tiles]; what stands after the diagonal does not count, the diagonal is always seen."""


class Rule(Protocol):
    """Which key tiles the query tiles of a request see."""

    name: ClassVar[str]

    @property
    def fingerprint(self) -> str:
        """A text that is equal for two rules exactly when they choose alike, in any process."""
        ...

    def mask(self, seen: Evidence) -> Mask:
        """The chosen tiles."""
        ...


@dataclass(frozen=True, slots=True)
class Settled:
    """A rule whose settings are its fields."""

    name: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for field in fields(self):
            _number(self.name, field.name, str(field.type), getattr(self, field.name))

    @property
    def fingerprint(self) -> str:
        """See `Rule`."""
        return f"{self.name}({','.join(f'{field.name}={_text(getattr(self, field.name))}' for field in fields(self))})"


@dataclass(frozen=True, slots=True)
class Budgeted(Settled):
    """A rule that chooses a number of tiles for each row by the number of tokens before it.

    A row that sees n tokens gets `budget * (n / budget) ** growth` of them, all while n is no more than `budget`. With
    growth 0 that is the same number at any length; with growth 1 it would be everything. Density falls with length for
    any growth below 1.

    Attributes:
        budget: tokens that a short row sees. growth: by what power it rises with the tokens seen, 0 to below 1.

    Raises:
        ConfigError: out of range.
    """

    budget: int = 2048
    growth: float = 0.0

    def __post_init__(self) -> None:
        Settled.__post_init__(self)
        at_least(self, "budget", BLOCK)
        if not 0 <= self.growth < 1:
            raise ConfigError(f"growth {self.growth} of {self.name}: give 0 (fixed budget) to below 1")

    def counts(self, own: torch.Tensor) -> torch.Tensor:
        """How many tiles each row gets, int64, of the rows of the tiles `own`."""
        seen = (own + 1) * BLOCK
        tokens = self.budget * (seen / self.budget).clamp(min=1.0) ** self.growth
        return (tokens / BLOCK - 1e-6).ceil().long()


def at_least(rule: Any, name: str, least: float) -> None:  # noqa: ANN401 - any rule
    """Refuse a setting that is too small.

    Raises:
        ConfigError: it is.
    """
    value = getattr(rule, name)
    if not value >= least or math.isinf(value):
        raise ConfigError(f"{name} {value} of {rule.name}: give at least {least}")


def a_share(rule: Any, name: str) -> None:  # noqa: ANN401 - any rule
    """Refuse a setting that is no share.

    Raises:
        ConfigError: it is below 0 or above 1.
    """
    if not 0 <= getattr(rule, name) <= 1:
        raise ConfigError(f"{name} {getattr(rule, name)} of {rule.name}: give a share from 0 to 1")


def by_rows(seen: Evidence, choose: Callable[[int, torch.Tensor, torch.Tensor], torch.Tensor]) -> Mask:
    """The mask of a rule that chooses from the past of some rows of a KV head at a time.

    Args:
        seen: what there is.
        choose: (KV head, queries [group, rows, 64, width], tile of each row) -> bool [rows, tiles of the past].
    """
    extent = seen.extent
    mask = np.zeros((seen.kv_heads, extent.tiles, extent.base + extent.tiles), np.bool_)
    if mask.shape[2] == 1:
        return mask
    for head in range(seen.kv_heads):
        for start, queries in seen.strips(head):
            own = seen.own[start : start + queries.shape[1]].to(queries.device)
            mask[head, start : start + len(own), :-1] = choose(head, queries, own).cpu().numpy()
    return mask


def earlier(own: torch.Tensor, tiles: int) -> torch.Tensor:
    """Whether a tile stands before the row's own, bool [rows, tiles]."""
    import torch

    return torch.arange(tiles, device=own.device) < own[:, None]


def best(scores: torch.Tensor, own: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """The earlier tiles with the highest scores, of equal ones the first, bool [rows, tiles].

    Args:
        scores: [rows, tiles], any float.
        own: tile of each row.
        counts: how many each row gets.
    """
    import torch

    before = earlier(own, scores.shape[1])
    order = scores.masked_fill(~before, -torch.inf).sort(dim=1, descending=True, stable=True).indices
    first = torch.arange(scores.shape[1], device=own.device) < counts[:, None].to(own.device)
    return torch.zeros_like(before).scatter_(1, order, first) & before


def covering(mass: torch.Tensor, own: torch.Tensor, share: float, least: torch.Tensor | int = 1) -> torch.Tensor:
    """The fewest earlier tiles that hold a share of the mass of all earlier ones, at least some of them.

    Args:
        mass: [rows, tiles], not negative.
        own: tile of each row.
        share: 0 to 1.
        least: tiles, of all rows or of each.
    """
    import torch

    before = earlier(own, mass.shape[1])
    held, order = mass.double().masked_fill(~before, -1.0).sort(dim=1, descending=True, stable=True)
    held = held.clamp(min=0.0)
    sums = held.cumsum(1)
    needed = (sums - held < share * sums[:, -1:]) | (share >= 1)
    rank = torch.arange(mass.shape[1], device=own.device)
    floor = least[:, None].to(own.device) if isinstance(least, torch.Tensor) else least
    return torch.zeros_like(before).scatter_(1, order, needed | (rank < floor)) & before


def shares(scores: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """What of each head's and sample's softmax over the past falls into each tile, [group, rows, samples, tiles].

    Args:
        scores: [group, rows, samples, parts of a tile, tiles], scaled; they are written over. Parts stand before tiles
            because long rows are summed fast and short ones are not.
        own: tile of each row, ascending.
    """
    import torch

    first = int(own[0])  # a tile before the first row's own is before every row's
    after = ~earlier(own, scores.shape[-1])[None, :, None, None, first:]
    scores[..., first:].masked_fill_(after, -torch.inf)
    chances = scores.flatten(-2).softmax(-1)
    if first == 0:
        chances.nan_to_num_(0.0)  # the first row has no past
    return chances.view(scores.shape).sum(-2)


def by_part(keys: torch.Tensor, parts: int) -> torch.Tensor:
    """The first part of every tile, then the second of every tile, and so on.

    Args:
        keys: [tiles * parts, ...], of whole tiles.
        parts: of a tile.
    """
    return keys.unflatten(0, (-1, parts)).transpose(0, 1).flatten(0, 1)


def _number(rule: str, name: str, kind: str, value: object) -> None:
    if kind == "int" and (not isinstance(value, int) or isinstance(value, bool)):
        raise ConfigError(f"{name} {value!r} of {rule}: give a whole number")
    if kind == "float" and (not isinstance(value, int | float) or isinstance(value, bool) or math.isnan(value)):
        raise ConfigError(f"{name} {value!r} of {rule}: give a number")


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + " ".join(map(_text, value)) + "]"
    return str(getattr(value, "fingerprint", value))
