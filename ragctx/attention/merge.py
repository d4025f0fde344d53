"""Partial attention results made one: the log-sum-exp rule that every split, segment and kept share rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import torch


class Attended(NamedTuple):
    """What a kernel returns.

    Attributes:
        output: [queries, heads, width].
        lse: float32 or float64 [queries, heads], the natural log of the sum of exponentials of the scaled scores; -inf
            where nothing was seen, and the output is zero then.
    """

    output: torch.Tensor
    lse: torch.Tensor


def merged(parts: Sequence[Attended]) -> Attended:
    """Attention over the union of disjoint sets of keys, from the attention over each of them.

    Each part's output counts with the weight exp(lse - joint lse). Sums are taken in the lse's precision.

    Args:
        parts: at least one, all of the same queries.

    Example:
        >>> import torch
        >>> q, k, v = (torch.randn(3, 1, 4, dtype=torch.float64) for _ in range(3))
        >>> from ragctx.attention.reference import plain
        >>> halves = merged([plain(q, k[:1], v[:1]), plain(q, k[1:], v[1:])])
        >>> torch.allclose(halves.output, plain(q, k, v).output)
        True
    """
    import torch

    lses = torch.stack([part.lse for part in parts])
    joint = torch.logsumexp(lses, 0)
    weights = torch.exp(lses - joint.masked_fill(joint == -torch.inf, 0.0))
    output = sum(
        (part.output.to(lses.dtype) * weight[..., None] for part, weight in zip(parts, weights, strict=True)),
        start=torch.zeros((), dtype=lses.dtype),
    )
    return Attended(output.to(parts[0].output.dtype), joint)


def kept(sparse: torch.Tensor, dense: torch.Tensor) -> torch.Tensor:
    """The share of attention mass that a selection kept, 0 to 1, from its log-sum-exp and that of everything."""
    import torch

    return torch.exp((sparse - dense).clamp(max=0.0))
