"""Sparse attention on GPUs, in Triton: the same index, the same two results as the other kernels.

Compiled ahead of time for five architectures and run in Triton's interpreter by the tests; `python -m
ragctx.attention.gpu_check` runs it against the reference on the GPU at hand.
"""

from __future__ import annotations

from ragctx.attention.kernels.held import Pages, Rows
from ragctx.attention.kernels.triton.launch import attend, ready, supports
from ragctx.attention.kernels.triton.pages import LAYOUTS, Paged, probed

__all__ = ["LAYOUTS", "Paged", "Pages", "Rows", "attend", "probed", "ready", "supports"]
