"""The dense index over a corpus: segments of vectors, searched exactly.

No clustering of vectors: looking at every one of a million takes tens of milliseconds, and nothing is missed. faiss
searches the memory-mapped files as they are, without a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ragctx.errors import MissingExtra
from ragctx.retrievers import segments

FILE = "vectors.npy"


@dataclass(frozen=True, slots=True, eq=False)
class VectorIndex:
    """An opened index.

    Attributes:
        vectors: for each segment, L2-normalised float32, shape (rows, dimensions).
        places: for each segment the chunk number of every row.
    """

    vectors: tuple[np.ndarray, ...]
    places: tuple[np.ndarray, ...]

    @classmethod
    def open(cls, folder: Path) -> VectorIndex:
        """The index in a folder, memory-mapped."""
        listed = segments.read(folder)
        vectors = tuple(np.load(path / FILE, mmap_mode="r", allow_pickle=False) for path, _ in listed)
        return cls(vectors, tuple(segments.places(folder, listed)))

    def search(self, query: np.ndarray, admitted: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Chunk numbers of the `count` nearest admitted chunks and their cosines, best first.

        Args:
            query: L2-normalised, shape (dimensions,).
            admitted: for every chunk whether it may be taken, bool.
            count: the most chunks.
        """
        chunks, scores = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
        for vectors, place in zip(self.vectors, self.places, strict=True):
            open_rows = np.flatnonzero(admitted[place])
            if not len(open_rows):
                continue
            held = vectors if len(open_rows) == len(place) else vectors[open_rows]
            cosines, rows = nearest(query, held, min(count, len(open_rows)))
            chunks.append(place[open_rows[rows]].astype(np.int64))
            scores.append(cosines)
        found, cosines = np.concatenate(chunks), np.concatenate(scores)
        order = np.lexsort((found, -cosines))[:count]
        return found[order], cosines[order]

    def cosines(self, query: np.ndarray, admitted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Chunk numbers of all admitted chunks and their cosines, in no order; arguments as those of `search`."""
        chunks, scores = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
        for vectors, place in zip(self.vectors, self.places, strict=True):
            rows = np.flatnonzero(admitted[place])
            held = vectors if len(rows) == len(place) else vectors[rows]
            chunks.append(place[rows].astype(np.int64))
            scores.append(held @ np.asarray(query, np.float32).reshape(-1))
        return np.concatenate(chunks), np.concatenate(scores)


def required() -> Any:  # noqa: ANN401 - the library has no types
    """The faiss module.

    Raises:
        MissingExtra: it is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise MissingExtra("dense retrieval", "local", "faiss-cpu") from error
    return faiss


def nearest(query: np.ndarray, vectors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosines and rows of the `count` rows nearest to a query."""
    faiss = required()
    asked = np.ascontiguousarray(query, np.float32).reshape(1, -1)
    cosines, rows = faiss.knn(asked, np.ascontiguousarray(vectors), count, metric=faiss.METRIC_INNER_PRODUCT)
    return cosines[0], rows[0]


def stack(shards: Sequence[Path], folder: Path) -> None:
    """Write a segment from vector files, one below the other, without holding more than one of them."""
    folder.mkdir()
    opened = [np.load(shard, mmap_mode="r", allow_pickle=False) for shard in shards]
    shape = (sum(map(len, opened)), opened[0].shape[1])
    vectors = np.lib.format.open_memmap(folder / FILE, mode="w+", dtype=np.float32, shape=shape)
    at = 0
    for rows in opened:
        vectors[at : at + len(rows)] = rows
        at += len(rows)
    vectors.flush()


def thin(older: Path, rows: np.ndarray, folder: Path) -> None:
    """Write an older segment without some of its rows."""
    folder.mkdir()
    np.save(folder / FILE, np.load(older / FILE, mmap_mode="r", allow_pickle=False)[rows], allow_pickle=False)


def join(pieces: Sequence[Path], folder: Path) -> None:
    """Write one segment from several, one below the other."""
    stack([piece / FILE for piece in pieces], folder)
