"""What our attention layers share on every device: look once, ask the policy, else leave it to the parent class."""

# ruff: noqa: ANN401  # vLLM hands over objects of its own
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ragctx.attention.vllm.layer import Layer, Step
from ragctx.attention.vllm.options import configured
from ragctx.attention.vllm.report import reported
from ragctx.attention.vllm.rotary import loaded, rotation_in
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    import torch

    from ragctx.attention.extents import Extent


class SparseImpl:
    """Stands before one of vLLM's own attention classes, whose `forward` it calls for what it does not serve."""

    reads: str
    num_kv_heads: int
    scale: float

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        from vllm.config import get_current_vllm_config

        config = get_current_vllm_config()
        self.ragctx_options = configured(config.additional_config)
        refused = refusal(self, config) or self.unfit(config.model_config.dtype)
        self.ragctx = Layer(self.ragctx_options, refused, self.num_kv_heads, self.scale)
        self._config = config.model_config.hf_text_config
        self.layout = ""
        reported(self.ragctx)

    def unfit(self, dtype: torch.dtype) -> str:
        """Why the device's kernel takes no such layer; empty where it does."""
        raise NotImplementedError

    def step(self, query: torch.Tensor, cache: torch.Tensor, metadata: Any, output: torch.Tensor) -> Step:
        """One call, as the kernel and the rules see it."""
        raise NotImplementedError

    def readable(self, layout: str, page: int) -> bool:
        """Whether the kernel reads pages of a layout, of so many tokens each."""
        raise NotImplementedError

    def forward(
        self,
        layer: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        kv_cache: torch.Tensor,
        attn_metadata: Any,
        output: torch.Tensor,
        *more: Any,
        **options: Any,
    ) -> torch.Tensor:
        """As vLLM's own; `attn_metadata` is None while it warms up."""
        ours = self.ragctx
        if attn_metadata is not None and ours.options is not None:
            ours.summaries.written(attn_metadata.slot_mapping)  # whoever attends: its tiles are other ones now
            if not self.layout:
                self._look(layer, key, value, kv_cache, attn_metadata)
            if ours.options.dual is not None and ours.rotation is None:
                self._stretch()
            if ours.serves(partial(self.step, query, kv_cache, attn_metadata, output)):
                return output
        parent: Any = super()
        with ours.counts.clocked("stock", ours.options is not None and ours.options.clock):
            done: torch.Tensor = parent.forward(
                layer, query, key, value, kv_cache, attn_metadata, output, *more, **options
            )
        return done

    def _look(self, layer: Any, key: torch.Tensor, value: torch.Tensor, cache: torch.Tensor, metadata: Any) -> None:
        """At the first call: the layer's number, and whether its pages are laid out as the kernel reads them."""
        ours, self.layout = self.ragctx, "unread"
        ours.number = next((int(part) for part in layer.layer_name.split(".") if part.isdigit()), 0)
        if ours.refused:
            return
        if cache.dtype != key.dtype:
            ours.refused = f"keys and values kept as {cache.dtype} beside keys of {key.dtype}"
            return
        try:
            self.layout = _layout(key, value, cache, metadata)
        except ConfigError as unknown:
            ours.refused = str(unknown)
            return
        if not self.readable(self.layout, page := cache.shape[2]):
            ours.refused = f"pages of {page} tokens laid out {self.layout}: the kernel reads {self.reads}"

    def _stretch(self) -> None:
        """What positions beyond training need, asked for until it is there: without it answers are wrong, not slow.

        Raises:
            ConfigError: the layer cannot be served, or the model's positions cannot be stretched.
        """
        if self.ragctx.refused:
            raise ConfigError(f"positions cannot be stretched here: {self.ragctx.refused}; leave out dual")
        self.ragctx.rotation = rotation_in(self._config.to_dict(), loaded())


def refusal(impl: Any, config: Any) -> str:
    """Why our kernels cannot serve a layer, as far as its making tells; empty where they can."""
    windowed = impl.sliding_window not in (None, -1, (-1, -1))
    reasons = {
        f"attention of the kind {getattr(impl.attn_type, 'value', impl.attn_type)}": impl.attn_type != "decoder",
        "a sliding window": windowed,
        "a soft cap on scores": bool(impl.logits_soft_cap),
        "linear position biases (ALiBi)": impl.alibi_slopes is not None,
        "learnt attention sinks": impl.sinks is not None,
        "keys and values in 8 bits": "fp8" in impl.kv_cache_dtype or "int8" in impl.kv_cache_dtype,
        "keys and values of another layer": impl.kv_sharing_target_layer_name is not None,
        "speculative decoding": config.speculative_config is not None,
        "context parallelism": config.parallel_config.decode_context_parallel_size > 1,
    }
    return next((why for why, holds in reasons.items() if holds), "")


def extents_in(metadata: Any) -> tuple[Extent, ...]:
    """What our builder put into a step's metadata; nothing where another builder made it."""
    return tuple(getattr(metadata, "extents", ()))


def prompts_in(metadata: Any) -> tuple[bool, ...]:
    """Likewise, which requests read their prompt."""
    return tuple(getattr(metadata, "prompts", ()))


def _layout(key: torch.Tensor, value: torch.Tensor, cache: torch.Tensor, metadata: Any) -> str:
    """How the cache is laid out, told from the step's last token, which was written to it just now."""
    from ragctx.attention.kernels.triton.pages import probed

    last = metadata.num_actual_tokens - 1
    return probed(cache, int(metadata.slot_mapping[last]), key[last], value[last])
