"""The compiled kernel's libraries, one for each instruction set: which are built, which run here, which is taken."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path

from ragctx.errors import ConfigError

SETS = ("avx512bf16", "avx512", "avx2", "portable")
"""Instruction sets, the fastest first."""
ROUNDS = "avx512bf16"
"""The one that multiplies in bfloat16: not for float32."""
FORCED = "RAGCTX_ATTENTION_INSTRUCTIONS"
"""Environment variable that names the instruction set to take."""
_BITS = {"avx2": 1, "avx512": 2, "avx512bf16": 4}  # of `ragctx_features`
_REMEDY = "install a C++ compiler (g++ or clang++), then install ragctx again"


def path(name: str) -> Path:
    """Where the library of an instruction set is, if it was built."""
    return Path(__file__).with_name(f"attention-{name}.kernel")


def built() -> tuple[str, ...]:
    """Instruction sets whose libraries were built, the fastest first."""
    return tuple(name for name in SETS if path(name).exists())


@cache  # it is asked at every call
def running() -> tuple[str, ...]:
    """Those of them that the running machine has, as the process found it."""
    has = _features() if "portable" in built() else 0
    return tuple(name for name in built() if name == "portable" or has & _BITS[name])


def chosen(exact: bool, wanted: str = "") -> str:
    """The instruction set to compute with.

    Args:
        exact: whether products may not round to bfloat16, as they may for bfloat16 inputs alone.
        wanted: one by name; otherwise what the environment names; otherwise the fastest.

    Raises:
        ConfigError: nothing is built, or what is wanted cannot be had; with the remedy.
    """
    here = running()
    if not here:
        raise ConfigError(f"no compiled kernel: {_REMEDY}")
    name = wanted or os.environ.get(FORCED, "")
    if not name:
        return next(each for each in here if not (exact and each == ROUNDS))
    if name not in here:
        raise ConfigError(f"the instruction set {name!r} cannot be had: here run {', '.join(here)}")
    if exact and name == ROUNDS:
        raise ConfigError(f"{ROUNDS} rounds float32 to bfloat16: take {', '.join(n for n in here if n != ROUNDS)}")
    return name


@cache
def library(name: str) -> ctypes.CDLL:
    """The library of an instruction set.

    Raises:
        ConfigError: it cannot be loaded.
    """
    try:
        loaded = ctypes.CDLL(str(path(name)))
    except OSError as error:
        raise ConfigError(f"the compiled kernel {path(name).name} cannot be loaded ({error}): {_REMEDY}") from error
    loaded.ragctx_attend.argtypes, loaded.ragctx_attend.restype = [ctypes.c_void_p], ctypes.c_int
    return loaded


@cache
def _features() -> int:
    features = library("portable").ragctx_features
    features.argtypes, features.restype = [], ctypes.c_int
    return int(features())
