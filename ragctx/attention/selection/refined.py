"""Tiles chosen first and then more of them, until each head of a group keeps its share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ragctx.attention.selection.rule import best, earlier

if TYPE_CHECKING:
    import torch


def refined(
    worth: torch.Tensor, mass: torch.Tensor, own: torch.Tensor, share: float, counts: torch.Tensor
) -> torch.Tensor:
    """The worthiest tiles, then those with most mass until every head holds a share of its own, bool [rows, tiles].

    Each head adds for itself and a KV head sees what any head of its group wants, so that a head whose attention is
    spread out is not taken for served because another one's is not.

    Args:
        worth: by which the first tiles are chosen, of the head that needs one most, [group, rows, tiles].
        mass: attention that falls into each tile, not above 1, likewise.
        own: tile of each row.
        share: of each head's mass, 0 to 1; 0 adds nothing.
        counts: how many tiles each row gets anyway.

    Example:
        >>> import torch
        >>> mass = torch.tensor([[[0.7, 0.1, 0.1, 0.1]], [[0.1, 0.1, 0.6, 0.2]]])
        >>> refined(mass, mass, torch.tensor([4]), 0.65, torch.tensor([1])).tolist()
        [[True, False, True, False]]
    """
    import torch

    before = earlier(own, mass.shape[2])
    first = best(worth.amax(0), own, counts)
    if share <= 0:
        return first
    if share >= 1:
        return before
    held = mass.double().masked_fill(~before, 0.0)
    order = (held + 2.0 * first).masked_fill(~before, -1.0).sort(dim=2, descending=True, stable=True).indices
    held = held.gather(2, order)
    sums = held.cumsum(2)
    needed = sums - held < share * sums[..., -1:]
    return (torch.zeros_like(needed).scatter_(2, order, needed).any(0) | first) & before
