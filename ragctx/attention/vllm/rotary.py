"""Which rotary positions a loaded model has: read from its configuration, then found again in what vLLM computes with.

Which numbers of a head turn together no configuration tells; a wrong guess would be fluent nonsense.
"""

# ruff: noqa: ANN401  # vLLM hands over objects of its own
from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ragctx.attention.positions import Rotation
from ragctx.errors import ConfigError

_PLACE, _OFF = 77, 0.03  # radians, more than bfloat16 rounds


def rotation_in(config: Mapping[str, Any], modules: Iterable[Any]) -> Rotation:
    """The rotation of a model.

    Args:
        config: as in `config.json`.
        modules: vLLM's rotary modules, with their table of cosines and sines and how they pair numbers.

    Raises:
        ConfigError: no module turns as the configuration says, or those that do pair numbers differently.
    """
    plain = Rotation.of(config)
    styles = {bool(module.is_neox_style) for module in modules if _turns(module, plain)}
    if len(styles) != 1:
        raise ConfigError("vLLM turns this model's queries and keys in a way that cannot be stretched: leave out dual")
    return Rotation(plain.frequencies, halves=styles.pop())


def loaded() -> list[Any]:
    """The rotary modules that vLLM made in this process."""
    from vllm.model_executor.layers import rotary_embedding

    return list(rotary_embedding._ROPE_DICT.values())


def _turns(module: Any, rotation: Rotation) -> bool:
    table, half = getattr(module, "cos_sin_cache", None), len(rotation.frequencies)
    if table is None or table.shape[-1] != 2 * half or len(table) <= _PLACE:
        return False
    row = table[_PLACE].tolist()
    angles = (math.atan2(sine, cosine) for cosine, sine in zip(row[:half], row[half:], strict=True))
    pairs = zip(angles, rotation.frequencies, strict=True)
    return all(abs(math.remainder(angle - _PLACE * rate, math.tau)) < _OFF for angle, rate in pairs)
