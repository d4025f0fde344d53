"""Rankers from published LLMLingua-2 checkpoints, in torch (extra `local`): how much each word of a text tells.

A name is a folder or a name on the hub, as in
`llmlingua2:microsoft/llmlingua-2-bert-base-multilingual-cased-meetingbank`, or the same with `xlm-roberta-large`.
"""

from __future__ import annotations

from importlib.util import find_spec

from ragctx.encoders.llmlingua2.checkpoint import find
from ragctx.encoders.llmlingua2.ranker import WordRanker
from ragctx.errors import MissingExtra

__all__ = ["WordRanker", "missing", "open_ranker"]


def missing(model: str) -> str:
    """The command that installs what a model lacks here; every model needs the same packages.

    Example:
        >>> missing("any") in ("", "pip install 'ragctx[local]'")
        True
    """
    return "" if find_spec("transformers") and find_spec("safetensors") else "pip install 'ragctx[local]'"


def open_ranker(
    model: str, *, threads: int | None = None, device: str = "cpu", batch: int = 1, longest: int | None = None
) -> WordRanker:
    """The ranker of a checkpoint; weights are read when the first request comes.

    Args:
        model: a folder, or a name on the hub. `HF_HUB_OFFLINE` is respected.
        threads: of torch in this process; its own choice when None.
        device: as torch names it.
        batch: windows in one forward pass. With 1 a reply does not depend on what else is asked at the time; more are
            faster on a GPU and may change the last digits.
        longest: tokens of a window; 512 when None, as the checkpoints were trained.

    Raises:
        MissingExtra: transformers or safetensors is not installed.
        ConfigError: there is no such checkpoint, or it does not tell words to keep from words to drop.
    """
    if missing(model):
        raise MissingExtra("an LLMLingua-2 checkpoint", "local", "transformers")
    return WordRanker(model, find(model, longest), threads=threads, device=device, batch=batch)
