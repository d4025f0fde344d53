"""Our own small reading model: ranks texts, weighs their sentences, points out answers, embeds. No torch, no hub.

One pass of a 22-million-weight encoder over a question and a passage says how likely the passage answers, which of its
tokens matter and where an answer begins and ends (pruning and ranking in one pass: Provence, arXiv:2501.16214). It runs
on ONNX Runtime in int8; weights, tokenizer and card are files of this package.
"""

from __future__ import annotations

from ragctx.encoders.extractive.backend import Extractive
from ragctx.encoders.extractive.files import find
from ragctx.errors import RagctxError

__all__ = ["Extractive", "missing", "open_encoder", "open_ranker"]


def open_ranker(model: str = "", *, threads: int | None = None) -> Extractive:
    """The reading model; the file of its weights is checked now and read when the first request comes.

    Args:
        model: a folder with `reader.onnx`, `tokenizer.json` and `card.json`; empty for the packaged one.
        threads: passes at once; one for each core that this process may use when None.

    Raises:
        ConfigError: there is no such folder, or `threads` is below 1.
        StoreCorrupt: a file is missing, damaged, or not what the card says.

    Example:
        >>> from ragctx.work import Rerank
        >>> model = open_ranker(threads=1)
        >>> [reply] = model.serve([Rerank("Who wrote it?", ("Ada Moss wrote it.", ""))], lambda i, text: None)
        >>> len(reply.values), reply.values[1]
        (2, 0.0)
    """
    return Extractive(find(model), threads)


def open_encoder(model: str = "", *, threads: int | None = None) -> Extractive:
    """The same model under the name that `ragctx.encoders.open_encoder` looks for; see `open_ranker`."""
    return open_ranker(model, threads=threads)


def missing(model: str = "") -> str:
    """What keeps the model from being opened here; empty when nothing does.

    Example:
        >>> missing("no-such-folder")
        'no-such-folder is no folder: give one with reader.onnx, tokenizer.json and card.json, or none'
    """
    try:
        find(model)
    except RagctxError as error:
        return str(error)
    return ""
