"""Policies of a fixed mean density, for figures of speed: every tile is the rule's choice, and the number is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ragctx.attention.extents import BLOCK
from ragctx.attention.selection.policy import Sparsity

RULE: Mapping[str, object] = {"rule": "pooled"}
COARSE: Mapping[str, object] = {"rule": "pooled", "queries": BLOCK, "keys": BLOCK}
"""The same rule by means of whole tiles: sixteen times fewer scores, blinder to single keys."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A policy and the density it has over a whole prompt, whatever the queries and keys are.

    Attributes:
        policy: budget tiles a row and its own; all where a row has no more.
        density: mean over the prompt, as tiles computed of those that dense attention has.
    """

    policy: Sparsity
    density: float


def fixed(
    length: int, density: float, *, chunk: int = 0, last_rows: int = 0, rule: Mapping[str, object] = RULE
) -> Fixed:
    """The policy whose mean density is nearest.

    Args:
        length: tokens of the prompt.
        density: wanted, over 0 to 1.
        chunk: tokens of a step, where its last rows are dense; 0 is the whole prompt.
        last_rows: how many of them.
        rule: its name and settings but for the budget.

    Example:
        >>> made = fixed(32768, 0.12)
        >>> made.policy.rule.budget, round(made.density, 3)
        (1984, 0.121)
    """
    tiles = -(-length // BLOCK)
    found = min(
        ((abs(mean(length, budget, chunk, last_rows) - density), budget) for budget in range(1, tiles)),
        default=(0.0, 1),
    )[1]
    told = {"budget": found * BLOCK, "growth": 0.0, "sinks": 0, "local": 0, "gate": 0, "dense_layers": 0}
    policy = Sparsity.of({**rule, **told, "last_rows": last_rows})
    assert policy is not None
    return Fixed(policy, mean(length, found, chunk, last_rows))


def mean(length: int, budget: int, chunk: int = 0, last_rows: int = 0) -> float:
    """The mean density of rows that choose `budget` tiles, beside their own.

    Example:
        >>> mean(640, 10), mean(640, 1)
        (1.0, 0.34545454545454546)
    """
    tiles = -(-length // BLOCK)
    computed = sum(
        tile + 1 if dense(tile, length, chunk or length, last_rows) else min(budget, tile) + 1 for tile in range(tiles)
    )
    return computed / (tiles * (tiles + 1) // 2)


def dense(tile: int, length: int, chunk: int, last_rows: int) -> bool:
    """Whether a tile of queries sees everything: it is cut, or among the last rows of its chunk."""
    end = min((tile * BLOCK // chunk + 1) * chunk, length)
    return (tile + 1) * BLOCK > (end - last_rows) // BLOCK * BLOCK
