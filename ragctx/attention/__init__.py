"""Sparse attention as one contract: which keys matter -> a `BlockIndex` -> a kernel -> output and log-sum-exp.

Every kernel (`reference` in torch, `cpu` in C++, `triton`) takes any index and returns the same two things. The index
of everything is dense attention, and exp(sparse log-sum-exp - dense log-sum-exp) is the share of attention mass kept.
"""

from ragctx.attention.extents import Extent
from ragctx.attention.index import BlockIndex

__all__ = ["BlockIndex", "Extent"]
