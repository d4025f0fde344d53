"""From a step's metadata to extents: which tokens of which requests are computed now."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ragctx.attention.extents import Extent
from ragctx.attention.index import BlockIndex

if TYPE_CHECKING:
    import torch


def extents_of(starts: torch.Tensor, lengths: torch.Tensor) -> tuple[Extent, ...]:
    """The requests of a step.

    Prompts, chunks of prompts after a prefix that is there already, and decoding requests are all the same thing: so
    many last tokens of so many.

    Args:
        starts: where each request's queries begin, and where the last one's end; on the host.
        lengths: tokens of each request so far, those of this step included; on the host.

    Returns:
        one for each request; none at all where a request has no queries, as in padded and in profiling steps.

    Example:
        >>> import torch
        >>> [(e.first, e.queries) for e in extents_of(torch.tensor([0, 1, 256]), torch.tensor([61, 451]))]
        [(60, 1), (196, 255)]
    """
    borders, keys = starts.tolist(), lengths.tolist()
    queries = [end - begin for begin, end in pairwise(borders)]
    pairs = list(zip(queries, keys, strict=True))
    return tuple(Extent(q, n) for q, n in pairs) if all(1 <= q <= n for q, n in pairs) else ()


def prompts_of(prefilling: torch.Tensor | None, extents: tuple[Extent, ...]) -> tuple[bool, ...]:
    """Which requests of a step still read their prompt; those of several queries, where vLLM does not tell.

    Example:
        >>> import torch
        >>> prompts_of(None, (Extent(1, 61), Extent(255, 451)))
        (False, True)
        >>> prompts_of(torch.tensor([True, True]), (Extent(1, 61), Extent(255, 451)))
        (True, True)
    """
    if prefilling is None:
        return tuple(extent.queries > 1 for extent in extents)
    return tuple(prefilling.tolist()[: len(extents)])


def dense_index(metadata: Any, extents: tuple[Extent, ...], heads: int) -> BlockIndex:  # noqa: ANN401 - vLLM's own
    """The index of everything, made once a step and kept in its metadata for the layers that follow."""
    kept: dict[int, BlockIndex] = vars(metadata).setdefault("ragctx_dense", {})
    if heads not in kept:
        kept[heads] = BlockIndex.dense(extents, heads)
    return kept[heads]
