"""Layers that look at little else than the beginning and what is near."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ragctx.attention.extents import BLOCK
from ragctx.attention.selection.evidence import Evidence
from ragctx.attention.selection.rule import Mask, Settled, at_least
from ragctx.errors import ConfigError


@dataclass(frozen=True, slots=True)
class LazyLayers(Settled):
    """Named layers stream, the others see everything, after LightTransfer (arXiv 2410.13846).

    Attributes:
        layers: numbers of the layers that stream, from 0, rising; see `laziest`.
        sinks: tokens at the beginning that they see. local: tokens before a query tile that they see.

    Raises:
        ConfigError: a setting out of range.

    Example:
        >>> import torch
        >>> from ragctx.attention import Extent
        >>> from ragctx.attention.selection.evidence import TensorKeys
        >>> query, keys = torch.zeros(64, 1, 16), TensorKeys(torch.zeros(640, 1, 16))
        >>> rule = LazyLayers(layers=(1,), sinks=64, local=128)
        >>> [int(rule.mask(Evidence(Extent(64, 640), query, keys, layer)).sum()) for layer in (0, 1)]
        [9, 3]
    """

    name: ClassVar[str] = "lazy-layers"
    layers: tuple[int, ...] = ()
    sinks: int = 128
    local: int = 1024

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        Settled.__post_init__(self)
        at_least(self, "sinks", 0)
        at_least(self, "local", 0)
        whole = all(isinstance(layer, int) and not isinstance(layer, bool) and layer >= 0 for layer in self.layers)
        if not whole or sorted(set(self.layers)) != list(self.layers):
            raise ConfigError(f"layers {self.layers} of {self.name}: give numbers from 0, rising, each once")

    def mask(self, seen: Evidence) -> Mask:
        """See `Rule`."""
        own = np.arange(seen.extent.base, seen.extent.base + seen.extent.tiles)[:, None]
        tiles = np.arange(seen.extent.base + seen.extent.tiles)
        chosen = tiles < own
        if seen.layer in self.layers:
            chosen &= (tiles < -(-self.sinks // BLOCK)) | (tiles >= own - -(-self.local // BLOCK))
        return np.repeat(chosen[None], seen.kv_heads, 0)


def laziest(ratios: Mapping[int, float], count: int) -> tuple[int, ...]:
    """The layers that lose least by streaming, rising, as `LazyLayers` takes them.

    Args:
        ratios: of each layer, the measured share of attention on the beginning and what is near.
        count: how many layers are to stream; of equally lazy ones the first.

    Raises:
        ConfigError: more layers than there are, or a ratio that is no share.

    Example:
        >>> laziest({0: 0.4, 1: 0.9, 2: 0.7}, 2)
        (1, 2)
    """
    if not 0 <= count <= len(ratios):
        raise ConfigError(f"{count} lazy layers of {len(ratios)}: give 0 to {len(ratios)}")
    if any(not 0 <= ratio <= 1 for ratio in ratios.values()):
        raise ConfigError("a lazy ratio is no share: give numbers from 0 to 1")
    return tuple(sorted(sorted(ratios, key=lambda layer: (-ratios[layer], layer))[:count]))
