"""Whether a loaded model attends through our backend, what its layers did, and their policy changed while it runs.

vLLM swallows whatever a plug-in raises and goes on with its own attention, so that nobody may rely on a plug-in
before having looked.
"""

# ruff: noqa: ANN401  # vLLM hands over objects of its own
from __future__ import annotations

from typing import Any

from ragctx.attention.vllm.counts import Counts
from ragctx.attention.vllm.layer import Layer
from ragctx.attention.vllm.options import Options
from ragctx.errors import ConfigError

REMEDY = (
    "install ragctx into vLLM's own environment (make install-vllm), leave VLLM_PLUGINS unset or name ragctx in it, "
    "look for the plug-in's error in vLLM's log, or attend densely with sparse='off'"
)


def layers(model: Any) -> list[Layer]:
    """The sparse side of every attention layer.

    Raises:
        ConfigError: some layer, or every one, attends by another backend; its name and the backend are told.
    """
    found = [(name, module) for name, module in model.named_modules() if hasattr(module, "attn_backend")]
    ours = [layer for _, module in found if (layer := _ours(module)) is not None]
    others = [(name, module.attn_backend) for name, module in found if _ours(module) is None]
    if not found:
        raise ConfigError(f"{type(model).__name__} has no attention layers that a backend serves: use sparse='off'")
    if others:
        name, backend = others[0]
        raise ConfigError(
            f"{len(others)} of {len(found)} attention layers, {name} the first, attend by "
            f"{backend.__module__}.{backend.__qualname__} and not by ragctx's backend: {REMEDY}"
        )
    return ours


def counts(model: Any) -> Counts:
    """What all layers did, added up."""
    return Counts.total(layer.counts for layer in layers(model))


def switch(model: Any, options: Options) -> None:
    """Have every layer attend by other options from the next step on, and count anew.

    Keys and values that were kept under the old ones are still there: give requests another `cache_salt`, as
    `Options.fingerprint` is made for.

    Raises:
        ConfigError: a layer is not ours, or the positions were to change, for which a model has to be loaded anew.
    """
    found = layers(model)
    if any(layer.options is None or layer.options.dual != options.dual for layer in found):
        raise ConfigError("positions are stretched, or not, when a model is loaded: open another reader")
    for layer in found:
        layer.options, layer.counts = options, Counts()


def _ours(module: Any) -> Layer | None:
    layer = getattr(getattr(module, "impl", None), "ragctx", None)
    return layer if isinstance(layer, Layer) else None
