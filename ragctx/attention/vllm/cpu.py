"""vLLM's attention on CPUs with ours in front; what ours does not cover, the parent class computes.

This module imports vLLM; vLLM imports it by the path that the plug-in registers.
"""

# ruff: noqa: ANN401  # vLLM hands over objects of its own
from __future__ import annotations

from functools import partial
from typing import Any

import torch
from vllm.v1.attention.backends.cpu_attn import (
    CPUAttentionBackend,
    CPUAttentionBackendImpl,
    CPUAttentionMetadataBuilder,
)

from ragctx.attention.extents import BLOCK
from ragctx.attention.kernels import cpu as kernel
from ragctx.attention.kernels.cpu import Pages
from ragctx.attention.selection.evidence import PagedKeys
from ragctx.attention.vllm.batch import extents_of, prompts_of
from ragctx.attention.vllm.impl import SparseImpl, extents_in, prompts_in
from ragctx.attention.vllm.layer import Step
from ragctx.attention.vllm.report import noted
from ragctx.errors import ConfigError


class SparseCPUBackend(CPUAttentionBackend):  # type: ignore[misc]  # vLLM has no types here
    """CPU_ATTN with sparse attention; the name stays, since vLLM looks backends up by it."""

    @staticmethod
    def get_impl_cls() -> type[SparseCPUImpl]:
        """What computes."""
        return SparseCPUImpl

    @staticmethod
    def get_builder_cls() -> type[SparseCPUBuilder]:
        """What makes a step's metadata."""
        return SparseCPUBuilder


class SparseCPUBuilder(CPUAttentionMetadataBuilder):  # type: ignore[misc]
    """Adds to a step's metadata what of each request is computed, once for all layers."""

    def build(self, common_prefix_len: int, common_attn_metadata: Any, fast_build: bool = False) -> Any:
        """The parent's metadata, with `extents` and `prompts`."""
        metadata = super().build(common_prefix_len, common_attn_metadata, fast_build)
        metadata.extents = extents_of(metadata.query_start_loc, metadata.seq_lens)
        metadata.prompts = prompts_of(common_attn_metadata.is_prefilling, metadata.extents)
        noted()
        return metadata


class SparseCPUImpl(SparseImpl, CPUAttentionBackendImpl):  # type: ignore[misc]
    """One attention layer on a CPU."""

    reads = f"transposed keys in multiples of {BLOCK} tokens, e.g. block_size=128"

    def unfit(self, dtype: torch.dtype) -> str:
        """Why the compiled kernel takes no such layer, or that there is none."""
        try:
            kernel.compiled(dtype)
        except ConfigError as missing:
            return str(missing)
        return kernel.supports(self.head_size, dtype)

    def readable(self, layout: str, page: int) -> bool:
        """The kernel reads keys that stand transposed in their pages, as vLLM keeps them for AVX."""
        return layout == "transposed" and page % BLOCK == 0

    def step(self, query: torch.Tensor, cache: torch.Tensor, metadata: Any, output: torch.Tensor) -> Step:
        """The call over the pages; tokens beyond the actual ones are padding."""
        tokens, pages, extents = metadata.num_actual_tokens, Pages(cache, metadata.block_table), extents_in(metadata)
        threads = (self.ragctx.options and self.ragctx.options.threads) or torch.get_num_threads()
        attend = partial(kernel.attend, threads=threads)
        causal = metadata.causal is True and metadata.dynamic_causal is None

        def keys(request: int) -> PagedKeys:
            return PagedKeys(pages, request, extents[request].keys, self.ragctx.summaries)

        rows = query[:tokens], output[:tokens]
        return Step(*rows, extents, pages, keys, attend, metadata, causal, prompts_in(metadata))
