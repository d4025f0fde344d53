"""Triton's language for the kernels, or stand-ins that let their files be imported and read where there is no Triton.

A kernel is written at a module's top, decorated; everything else imports Triton when it is called. Without Triton the
decorator leaves the functions as they are, and `attend` refuses before it would launch one.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

__all__ = ["FOUND", "jit", "tl"]

FOUND = find_spec("triton") is not None
"""Whether Triton can be imported."""

if FOUND:
    import triton.language as tl
else:
    tl = None


def jit(function: Callable[..., Any]) -> Any:  # noqa: ANN401 - what Triton makes of a function has no public type
    """The function as a Triton kernel."""
    if not FOUND:
        return function
    import triton

    return triton.jit(function)
