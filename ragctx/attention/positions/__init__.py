"""Positions beyond training: dual chunk attention by turning queries alone, and YaRN as the cheap baseline."""

from ragctx.attention.positions.dual import DualChunk
from ragctx.attention.positions.rotation import Rotation
from ragctx.attention.positions.segments import attend

__all__ = ["DualChunk", "Rotation", "attend"]
