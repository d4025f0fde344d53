"""Rankers from published Provence checkpoints, in torch (extra `local`): OpenProvence's and Naver's.

A name is a folder or a name on the hub, as in `provence:hotchpotch/open-provence-reranker-xsmall-v1`. Checkpoints come
with code of their own, which is never run: their safetensors weights are put into the small modules here.
"""

from __future__ import annotations

from importlib.util import find_spec

from ragctx.encoders.provence.checkpoint import find
from ragctx.encoders.provence.ranker import ProvenceRanker
from ragctx.errors import MissingExtra

__all__ = ["ProvenceRanker", "missing", "open_ranker"]


def missing(model: str) -> str:
    """The command that installs what a model lacks here; every model needs the same packages.

    Example:
        >>> missing("any") in ("", "pip install 'ragctx[local]'")
        True
    """
    return "" if find_spec("transformers") and find_spec("safetensors") else "pip install 'ragctx[local]'"


def open_ranker(
    model: str, *, threads: int | None = None, device: str = "cpu", batch: int = 1, longest: int | None = None
) -> ProvenceRanker:
    """The ranker of a checkpoint; weights are read when the first request comes.

    Args:
        model: a folder, or a name on the hub. `HF_HUB_OFFLINE` is respected.
        threads: of torch in this process; its own choice when None.
        device: as torch names it.
        batch: windows in one forward pass. With 1 a reply does not depend on what else is asked at the time; more are
            faster on a GPU and may change the last digits.
        longest: tokens of a window, question included; the checkpoint's own limit when None.

    Raises:
        MissingExtra: transformers or safetensors is not installed.
        ConfigError: there is no such checkpoint, or it is none of the two kinds.
    """
    if missing(model):
        raise MissingExtra("a Provence checkpoint", "local", "transformers")
    return ProvenceRanker(model, find(model, longest), threads=threads, device=device, batch=batch)
