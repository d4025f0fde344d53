"""Vectors of every chunk of a corpus in one file, for whoever needs all of them at once; kept until texts change."""

from __future__ import annotations

import hashlib
from itertools import islice
from pathlib import Path

import numpy as np

from ragctx.corpus import Corpus
from ragctx.models import ModelFacts
from ragctx.retrievers.embedding import WINDOW, embedded
from ragctx.retrievers.parts import of_corpus, texts
from ragctx.work import Work

_VECTORS, _DIGESTS = "vectors.npy", "digests.npy"


def chunk_vectors(corpus: Corpus, encoder: ModelFacts) -> Work[np.ndarray]:
    """The vectors of a view's chunks, L2-normalised float32, shape (chunks, dimensions).

    They are kept for the whole corpus, so that a view of it embeds nothing; of a changed corpus only texts that are new
    are embedded.

    Args:
        corpus: a corpus, or a view of one.
        encoder: facts of the model that plays "encoder".
    """
    identity = hashlib.sha256((encoder.identity or encoder.name).encode()).hexdigest()[:12]
    slot = corpus.base.slot(f"chunk-vectors-{identity}")
    folder = slot.current
    if folder is None:
        vectors, digests = yield from _made(corpus.base, slot.previous)
        folder = slot.replace(lambda half: _save(half, vectors, digests))
    kept: np.ndarray = np.load(folder / _VECTORS, mmap_mode="r", allow_pickle=False)
    return np.asarray(kept[corpus.rows])


def _made(corpus: Corpus, older: Path | None) -> Work[tuple[np.ndarray, np.ndarray]]:
    """Vectors of all chunks, and a digest of each one's text."""
    digests = np.fromiter(map(_digest, texts(corpus, of_corpus(corpus))), np.uint64, len(corpus.chunks))
    known: dict[int, int] = {}
    rows: list[np.ndarray] = []
    if older is not None:
        known = {int(digest): row for row, digest in enumerate(np.load(older / _DIGESTS, allow_pickle=False))}
        held = np.load(older / _VECTORS, mmap_mode="r", allow_pickle=False)
        rows = [np.asarray(held, np.float32)]
    wanted = (corpus.chunks.text(row) for row, digest in enumerate(digests.tolist()) if int(digest) not in known)
    missing = [int(digest) for digest in digests.tolist() if int(digest) not in known]
    first = len(rows[0]) if rows else 0
    while window := list(islice(wanted, WINDOW)):
        rows.append((yield from embedded(window)))
    known |= {digest: first + number for number, digest in enumerate(missing)}
    every = np.concatenate(rows) if rows else np.zeros((0, 1), np.float32)
    return every[[known[int(digest)] for digest in digests.tolist()]], digests


def _save(folder: Path, vectors: np.ndarray, digests: np.ndarray) -> None:
    np.save(folder / _VECTORS, vectors, allow_pickle=False)
    np.save(folder / _DIGESTS, digests, allow_pickle=False)


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")
