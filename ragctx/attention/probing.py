"""How a loaded model turns its queries and keys with their positions: read from its configuration, then checked.

This module imports torch and transformers.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import torch
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from ragctx.attention.positions import Rotation
from ragctx.errors import ConfigError

_NAME, _GAP, _TOKENS = "ragctx_probe", 77, 6
_now = threading.local()


def probed(model: Any) -> Rotation:  # noqa: ANN401 - transformers has no types
    """The rotation of a model's positions.

    A few texts of one token are computed at two places. A token alone attends to itself, wherever it stands, so every
    layer must see the very same queries and keys, turned by the difference: a model that pairs its numbers otherwise,
    turns only some layers, or has positions of another kind, shows here and not in its answers.

    Raises:
        ConfigError: the model's positions cannot be stretched.
    """
    config = model.config.get_text_config().to_dict()
    before = model.config._attn_implementation
    model.set_attn_implementation(_NAME)
    try:
        here, there = _seen(model, 0), _seen(model, _GAP)
    except (AttributeError, TypeError, RuntimeError, ValueError, IndexError) as failed:
        raise ConfigError(_unfit(model)) from failed
    finally:
        model.set_attn_implementation(before)
    for halves in (True, False):
        rotation = Rotation.of(config, halves=halves)
        if here and all(_is(rotation, one, other) for one, other in zip(here, there, strict=True)):
            return rotation
    raise ConfigError(_unfit(model))


def _seen(model: Any, first: int) -> list[torch.Tensor]:  # noqa: ANN401
    """Queries and keys of every layer, [tokens, heads, width]."""
    _now.seen = []
    places = torch.full((_TOKENS, 1), first)
    with torch.inference_mode():
        model(torch.arange(3, 3 + _TOKENS)[:, None], position_ids=places, use_cache=False)
    return list(_now.seen)


def _is(rotation: Rotation, here: torch.Tensor, there: torch.Tensor) -> bool:
    turned = rotation.turned(here, np.full(len(here), _GAP))
    return bool((turned - there).norm() <= 0.03 * there.norm())


def _unfit(model: Any) -> str:  # noqa: ANN401
    return (
        f"the positions of {type(model).__name__} are of a kind that cannot be stretched here: leave them as they are"
    )


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **others: Any,  # noqa: ANN401
) -> tuple[torch.Tensor, None]:
    _now.seen += [states[:, :, 0].float() for states in (query, key)]
    output: torch.Tensor = sdpa_attention_forward(module, query, key, value, attention_mask, **others)[0]
    return output, None


AttentionInterface.register(_NAME, _attend)
