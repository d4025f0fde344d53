"""vLLM's FlashAttention backend on CUDA with ours in front; what ours does not cover, the parent class computes.

Written against vLLM 0.32 and not yet run on a GPU. This module imports vLLM; vLLM imports it by the path that the
plug-in registers, when the backend CUSTOM is asked for.
"""

# ruff: noqa: ANN401  # vLLM hands over objects of its own
from __future__ import annotations

from functools import partial
from typing import Any

import torch
from vllm.v1.attention.backend import AttentionCGSupport
from vllm.v1.attention.backends.flash_attn import (
    FlashAttentionBackend,
    FlashAttentionImpl,
    FlashAttentionMetadataBuilder,
)

from ragctx.attention.extents import BLOCK, Extent
from ragctx.attention.kernels import triton as kernel
from ragctx.attention.kernels.triton import LAYOUTS, Paged
from ragctx.attention.selection.evidence import TensorKeys
from ragctx.attention.vllm.batch import extents_of, prompts_of
from ragctx.attention.vllm.impl import SparseImpl, extents_in, prompts_in
from ragctx.attention.vllm.layer import Step
from ragctx.attention.vllm.report import noted


class SparseFlashBackend(FlashAttentionBackend):  # type: ignore[misc]  # vLLM has no types here
    """FLASH_ATTN with sparse attention, under the name that vLLM keeps for backends of others."""

    @staticmethod
    def get_name() -> str:
        """A member of vLLM's enumeration of backends."""
        return "CUSTOM"

    @staticmethod
    def get_impl_cls() -> type[SparseFlashImpl]:
        """What computes."""
        return SparseFlashImpl

    @staticmethod
    def get_builder_cls() -> type[SparseFlashBuilder]:
        """What makes a step's metadata."""
        return SparseFlashBuilder


class SparseFlashBuilder(FlashAttentionMetadataBuilder):  # type: ignore[misc]
    """Adds to a step's metadata what of each request is computed, from the host's copies: nothing waits for the GPU.

    A selection is made anew at each call, so attention is never part of a captured graph; the rest of a layer may be.
    """

    _cudagraph_support = AttentionCGSupport.NEVER

    def build(self, common_prefix_len: int, common_attn_metadata: Any, fast_build: bool = False) -> Any:
        """The parent's metadata, with `extents` and `prompts`."""
        metadata = super().build(common_prefix_len, common_attn_metadata, fast_build)
        requests, lengths = common_attn_metadata.num_reqs, common_attn_metadata.seq_lens_cpu_upper_bound
        starts = common_attn_metadata.query_start_loc_cpu[: requests + 1]
        metadata.extents = () if lengths is None else extents_of(starts, lengths[:requests])
        metadata.prompts = prompts_of(common_attn_metadata.is_prefilling, metadata.extents)
        noted()
        return metadata


class SparseFlashImpl(SparseImpl, FlashAttentionImpl):  # type: ignore[misc]
    """One attention layer on a GPU."""

    reads = f"pages that hold whole tiles of {BLOCK} tokens, or of which a tile holds several whole"

    def unfit(self, dtype: torch.dtype) -> str:
        """Why the Triton kernels take no such layer, or cannot run here."""
        if self.ragctx_options is not None and self.ragctx_options.dual is not None:
            return "dual chunk attention, which is not there for pages on a GPU"
        return kernel.ready(torch.device("cuda")) or kernel.supports(self.head_size, dtype)

    def readable(self, layout: str, page: int) -> bool:
        """The kernels take any strides, and any page that fits a tile."""
        return layout in LAYOUTS and (page % BLOCK == 0 or BLOCK % page == 0)

    def step(self, query: torch.Tensor, cache: torch.Tensor, metadata: Any, output: torch.Tensor) -> Step:
        """The call over the pages; tokens beyond the actual ones are padding."""
        tokens, extents = metadata.num_actual_tokens, extents_in(metadata)
        paged, causal = Paged.of(cache, metadata.block_table, self.layout), metadata.causal is True
        keys = partial(_keys, paged, extents)
        rows = query[:tokens], output[:tokens]
        return Step(*rows, extents, paged, keys, kernel.attend, metadata, causal, prompts_in(metadata))


def _keys(paged: Paged, extents: tuple[Extent, ...], request: int) -> TensorKeys:
    """One request's keys gathered from their pages, as rows."""
    count, page = extents[request].keys, paged.keys.shape[2]
    pages = paged.table[request, : -(-count // page)].long()
    rows = paged.keys[pages].transpose(1, 2).flatten(0, 1)
    return TensorKeys(rows[:count])
