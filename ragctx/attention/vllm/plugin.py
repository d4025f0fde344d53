"""The entry point that vLLM calls in every one of its processes, before it builds a model."""

from __future__ import annotations

BACKENDS = {
    "CPU_ATTN": "ragctx.attention.vllm.cpu.SparseCPUBackend",
    "CUSTOM": "ragctx.attention.vllm.cuda.SparseFlashBackend",
}
"""Which backend of vLLM's is ours, by the name that vLLM knows it by.

On a CPU vLLM takes CPU_ATTN whatever was asked for, so that name is overridden; on a GPU ours is asked for as CUSTOM.
"""


def register() -> None:
    """Tell vLLM where the backends are; nothing of them is imported, and to be called twice changes nothing.

    An engine without options of ours (`ragctx.attention.vllm.options`) runs as it would without this plug-in.
    """
    from vllm.v1.attention.backends.registry import AttentionBackendEnum, register_backend

    for name, path in BACKENDS.items():
        register_backend(AttentionBackendEnum[name], path)
