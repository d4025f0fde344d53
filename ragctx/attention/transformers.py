"""Our attention inside a transformers model, by the interface that transformers has for it.

`install` makes a loaded causal model attend by a policy, in prefill and in steps, with any cache that grows. What the
policy or the kernels do not cover (padding, sliding windows, soft caps, training) goes to transformers' own `sdpa`,
counted and logged once with the reason.

This module imports torch and transformers.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from ragctx.attention.attending import Attending, policy
from ragctx.attention.positions import DualChunk
from ragctx.errors import ConfigError, MissingExtra

try:
    import torch
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.integrations.sdpa_attention import sdpa_attention_forward
    from transformers.masking_utils import causal_mask_function, sdpa_mask
except ImportError as missing:
    raise MissingExtra("attention in transformers models", "local", missing.name or "transformers") from missing

if TYPE_CHECKING:
    from ragctx.attention.selection.policy import Sparsity

NAME = "ragctx"
log = logging.getLogger(__name__)
_installed: WeakKeyDictionary[torch.nn.Module, Attending] = WeakKeyDictionary()


def install(
    model: Any,  # noqa: ANN401 - transformers has no types
    sparse: str | Mapping[str, object] | Sparsity | None = "auto",
    *,
    dual: DualChunk | None = None,
    threads: int = 0,
    measure: int = 0,
) -> Attending:
    """Make a loaded causal model attend by us, until `model.set_attn_implementation("sdpa")`.

    Args:
        model: of transformers.
        sparse: the policy, as `Sparsity.of` takes it.
        dual: positions beyond the training length.
        threads: of the compiled kernel; 0 takes as many as torch does.
        measure: have one query of every so many tiles of 64 computed densely too, and the share of attention that the
            policy keeps counted for each layer; 0 measures nothing.

    Returns:
        What the model attends with; its `counts` tell what was done.

    Raises:
        ConfigError: no such policy, the model's attention is not plain, or its positions cannot be stretched.

    Example:
        >>> from transformers import LlamaConfig, LlamaForCausalLM
        >>> sizes = {"hidden_size": 32, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
        >>> model = LlamaForCausalLM(LlamaConfig(vocab_size=9, **sizes)).eval()
        >>> attending = install(model, "off", dual=DualChunk(128, 64))
        >>> with torch.inference_mode():
        ...     print(model(torch.zeros(1, 200, dtype=torch.long)).logits.shape, attending.counts.own)
        torch.Size([1, 200, 9]) 1
    """
    from ragctx.attention.probing import probed

    if not getattr(model, "_supports_sdpa", False):
        raise ConfigError(
            f"{type(model).__name__} caps its scores or learns its sinks: leave it to transformers' `eager`"
        )
    rotation = probed(model) if dual else None
    attending = Attending(policy(sparse), dual, rotation, threads, measure=measure)
    for module in model.modules():
        if hasattr(module, "layer_idx"):
            _installed[module] = attending
    model.set_attn_implementation(NAME)
    return attending


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **others: Any,  # noqa: ANN401
) -> tuple[torch.Tensor, None]:
    """What transformers calls: queries [batch, heads, tokens, width] over keys and values of all tokens so far."""
    attending = _installed.get(module)
    if attending is None:
        raise ConfigError(
            f"this model was not prepared for the attention {NAME!r}: call ragctx.attention.transformers.install(model)"
        )
    why = _uncovered(module, query, key, attention_mask, others)
    if why:
        _refuse(attending, why, key.shape[2])
        return _densely(module, query, key, value, attention_mask, scaling, others)
    layer, rows = int(getattr(module, "layer_idx", 0)), []
    for row in range(len(query)):
        states = (each[row].transpose(0, 1) for each in (query, key, value))
        own = attending(*states, layer=layer, scale=scaling or 0.0)
        cut = slice(row, row + 1)
        rows.append(
            _densely(module, query[cut], key[cut], value[cut], None, scaling, others)[0] if own is None else own[None]
        )
    return torch.cat(rows), None


def _uncovered(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    mask: torch.Tensor | None,
    others: Mapping[str, Any],
) -> str:
    """Why a call is not ours; empty where it is."""
    if module.training or (torch.is_grad_enabled() and query.requires_grad):
        return "training, or gradients: call the model in torch.inference_mode()"
    if mask is not None:
        return "a mask beyond causality: padding, a window, or a cache of fixed size"
    for name, what in _FOREIGN.items():
        if others.get(name):
            return what
    if others.get("is_causal") is False or not getattr(module, "is_causal", True):
        return "attention that is not causal"
    return "fewer keys than queries" if key.shape[2] < query.shape[2] else ""


_FOREIGN = {
    "sliding_window": "a sliding window",
    "dropout": "dropout",
    "position_bias": "a bias for positions",
    "output_attentions": "probabilities that are asked for",
    "cache": "a cache of pages",
}


def _refuse(attending: Attending, why: str, keys: int) -> None:
    if attending.dual is not None and attending.needed(keys):
        raise ConfigError(
            f"positions beyond the trained ones do not go with {why}: keep texts to {attending.dual.chunk} tokens, "
            "or give one text at a time, without padding"
        )
    if not attending.counts.dense[why]:
        log.warning("attention is dense for some calls: %s", why)
    attending.counts.dense[why] += 1


def _densely(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scaling: float | None,
    others: Mapping[str, Any],
) -> tuple[torch.Tensor, None]:
    """Transformers' own; it takes queries without a mask for the *first* of the keys, ours are the last."""
    new, all_ = query.shape[2], key.shape[2]
    if mask is None and 1 < new < all_:
        mask = torch.ones(new, all_, dtype=torch.bool, device=query.device).tril(all_ - new)[None, None]
    output: torch.Tensor = sdpa_attention_forward(module, query, key, value, mask, scaling=scaling, **others)[0]
    return output, None


def _mask(
    *,
    q_length: int,
    kv_length: int,
    q_offset: int = 0,
    attention_mask: torch.Tensor | None = None,
    mask_function: Any = causal_mask_function,  # noqa: ANN401
    local_size: int | None = None,
    **others: Any,  # noqa: ANN401
) -> torch.Tensor | None:
    """None where queries are the last of the keys and see all before them; else the mask that `sdpa` takes."""
    plain = mask_function is causal_mask_function and local_size is None and int(q_offset) + q_length == kv_length
    if plain and (attention_mask is None or bool(attention_mask.all())):
        return None
    given = {"q_length": q_length, "kv_length": kv_length, "q_offset": q_offset, "attention_mask": attention_mask}
    made: torch.Tensor | None = sdpa_mask(
        **(others | given | {"mask_function": mask_function, "local_size": local_size, "allow_is_causal_skip": False})
    )
    return made


AttentionInterface.register(NAME, _attend)
AttentionMaskInterface.register(NAME, _mask)
