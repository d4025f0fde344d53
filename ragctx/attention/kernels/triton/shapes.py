"""How large a kernel's tiles are and how many warps share them, for each width and precision.

Chosen so that kernels keep to their registers on every architecture they are compiled for; the tests hold them to
that. Which is fastest has to be measured on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass

WIDTHS = {16: (16, 32, 64, 128, 256), 32: (16, 32, 64, 128)}
"""Bits of a number -> head sizes that the kernels take: powers of two, as Triton's ranges are."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Of one launch.

    Attributes:
        rows: packed query rows of a program. keys: tokens taken at once, 64 or a part.
        warps: that share the work. stages: of the pipeline that loads ahead.
    """

    rows: int
    keys: int
    warps: int
    stages: int


def wide(width: int, bits: int, group: int, *, amd: bool = False) -> Shape:
    """For whole query tiles of `group` query heads a KV head.

    Example:
        >>> wide(128, 16, group=4)
        Shape(rows=128, keys=64, warps=8, stages=3)
    """
    if bits == 32:
        return Shape(32, 32, 4 if width <= 64 else 8, 2)
    if width > 128:
        return Shape(64, 32, 8, 2)
    if amd:
        return Shape(64, 64, 4, 2)
    return Shape(64, 64, 4 if width <= 64 else 8, 3) if group == 1 else Shape(128, 64, 8, 3)


def narrow(width: int, bits: int, group: int, *, amd: bool = False) -> Shape:
    """For few queries: enough rows for the heads of one query, a matrix product's least being 16."""
    rows = min(64 if bits == 16 else 32, max(16, 1 << (group - 1).bit_length()))
    warps = 8 if rows * width * bits > 64 * 64 * 16 else 4
    if bits == 32 or width > 128:
        return Shape(rows, 32, warps, 2)
    return Shape(rows, 64, warps, 2 if amd else 3)
