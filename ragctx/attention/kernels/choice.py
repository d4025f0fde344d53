"""Which kernel computes on this machine, by name: the compiled one where there is one, otherwise torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ragctx.attention.kernels import cpu, torch_tiles
from ragctx.attention.merge import Attended
from ragctx.errors import ConfigError

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel that was chosen.

    Attributes:
        name: "cpu/" and the instruction set, or "torch". attend: its function.
        why: what keeps the compiled one from it; empty where it is that one. To be shown: it is slower by far.
    """

    name: str
    attend: Callable[..., Attended]
    why: str = ""


def kernel(width: int, dtype: torch.dtype) -> Kernel:
    """The kernel for heads of a width in numbers of a type, on the CPU.

    Example:
        >>> import torch
        >>> chosen = kernel(72, torch.float32)
        >>> chosen.name, chosen.why
        ('torch', 'heads of width 72: the compiled kernel takes multiples of 16 up to 256')
    """
    why = cpu.supports(width, dtype)
    if why:
        return Kernel("torch", torch_tiles.attend, why)
    try:
        return Kernel(f"cpu/{cpu.compiled(dtype)}", cpu.attend)
    except ConfigError as absent:
        return Kernel("torch", torch_tiles.attend, str(absent))
