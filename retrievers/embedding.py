"""Embedding chunks as sans-I/O work, in windows that survive a crash.

A window of chunks is sorted by length before it is cut into requests, so that an encoder pads little. Its vectors go
to a file named after the texts, the corpus and the encoder; who embeds the same window again, after a crash or a
Ctrl-C, finds it there. The files go when the index that was made of them is in place.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import cast

import numpy as np

from ragctx.corpus import Corpus
from ragctx.corpus.files import write_whole, writing
from ragctx.folders import cache_folder
from ragctx.retrievers.parts import Placed, texts
from ragctx.work import Embed, Vectors, Work, raised

# Chunks sorted and embedded together: long enough to even out lengths, short enough that a crash costs a minute.
WINDOW = 1_024
# Texts a request: a remote encoder's usual limit for one call.
TEXTS = 64
_FORGOTTEN = 14 * 86_400


def shards(corpus: Corpus, group: Sequence[Placed], encoder: str) -> Work[list[Path]]:
    """Files with the vectors of a segment's chunks, in order; those that are there already are not made again.

    Args:
        corpus: whose chunks.
        group: the segment's parts.
        encoder: identity of the model that plays "encoder".

    Raises:
        StoreFull: no space left; what was embedded before is kept.
    """
    waiting, made = texts(corpus, group), []
    while window := list(islice(waiting, WINDOW)):
        path = _folder() / f"{_digest(f'{encoder} {corpus.folder}', window)}.npy"
        if not path.exists():
            vectors = yield from embedded(window)
            _save(path, vectors)
        made.append(path)
    return made


def embedded(given: Sequence[str]) -> Work[np.ndarray]:
    """Vectors of texts in their own order, asked for in order of length."""
    order = sorted(range(len(given)), key=lambda i: -len(given[i]))
    asked = [Embed(tuple(given[i] for i in order[at : at + TEXTS])) for at in range(0, len(order), TEXTS)]
    replies = yield asked
    rows = np.concatenate([cast("Vectors", raised(reply)).rows for reply in replies])
    vectors = np.empty_like(rows, dtype=np.float32)
    vectors[order] = rows
    return vectors


def forget(made: Sequence[Path]) -> None:
    """Delete the files that an index was made of, and what a run that never came back left long ago."""
    for path in made:
        path.unlink(missing_ok=True)
    old = time.time() - _FORGOTTEN
    for path in _folder().glob("*.npy"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < old:
                path.unlink()


def _folder() -> Path:
    return cache_folder("embedding")


def _digest(owner: str, given: Sequence[str]) -> str:
    digest = hashlib.sha256(owner.encode("utf-8", "surrogatepass"))
    for text in given:
        digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    return digest.hexdigest()[:32]


def _save(path: Path, vectors: np.ndarray) -> None:
    held = io.BytesIO()
    np.save(held, vectors, allow_pickle=False)
    with writing(path.parent):
        write_whole(path, held.getvalue())
