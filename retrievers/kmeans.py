"""k-means over unit vectors: k-means++ starts, a fixed seed, several tries; how many groups, by the silhouette."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# More groups than this make more summaries than anybody reads.
MOST = 10
# Below this many rows they are one group.
FEWEST = 4
# Rows that centres are found from, and rows that silhouettes are measured on: more change nothing but the time.
_LEARNT, _MEASURED = 20_000, 1_000
_STEPS = 100
# Rows assigned at once.
_BLOCK = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class Groups:
    """Rows in groups.

    Attributes:
        labels: for each row its group, from 0, shape (rows,); every group has a row.
        centres: shape (groups, dimensions).
    """

    labels: np.ndarray
    centres: np.ndarray

    @property
    def members(self) -> list[np.ndarray]:
        """For each group its rows, rising."""
        return [np.flatnonzero(self.labels == group) for group in range(len(self.centres))]


def grouped(vectors: np.ndarray, k: int | None = None, *, seed: int = 0, tries: int = 8) -> Groups:
    """Rows in `k` groups, or in as many as have the best silhouette.

    Where nobody says, every count from 2 to the square root of the rows, 10 at most, is tried; under 4 rows are one
    group, and so are rows that are all alike. The same rows, seed and tries give the same groups.

    Args:
        vectors: float32, shape (rows, dimensions).
        k: how many groups; fewer where there are fewer different rows.
        seed: of the random starts.
        tries: starts for each count; the tightest groups are taken.

    Example:
        >>> rows = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [1, 0]], np.float32)
        >>> grouped(rows).labels.tolist()
        [0, 0, 1, 1, 0]
    """
    if k is None:
        return _chosen(vectors, seed, tries)
    return _numbered(vectors, _best(_learnt(vectors, seed), k, seed, tries))


def _chosen(vectors: np.ndarray, seed: int, tries: int) -> Groups:
    rows = len(vectors)
    if rows < FEWEST:
        return _numbered(vectors, vectors.mean(axis=0, keepdims=True))
    learnt = _learnt(vectors, seed)
    measured = learnt[np.linspace(0, len(learnt) - 1, min(len(learnt), _MEASURED)).astype(int)]
    best = _numbered(vectors, vectors.mean(axis=0, keepdims=True))
    most = -1.0
    for k in range(2, min(MOST, math.isqrt(rows)) + 1):
        centres = _best(learnt, k, seed, tries)
        value = silhouette(measured, _nearest(measured, centres)[0])
        if value > most + 1e-9:
            best, most = _numbered(vectors, centres), value
    return best


def silhouette(vectors: np.ndarray, labels: np.ndarray) -> float:
    """How much nearer rows lie to their own group than to the next one, -1 to 1 (Rousseeuw 1987); -1 for one group.

    Args:
        vectors: shape (rows, dimensions).
        labels: a group for each row.

    Example:
        >>> round(silhouette(np.array([[0.0], [0.1], [5.0], [5.1]]), np.array([0, 0, 1, 1])), 2)
        0.98
    """
    kinds, own = np.unique(labels, return_inverse=True)
    if len(kinds) < 2:
        return -1.0
    distances = np.sqrt(_squares(vectors.astype(np.float64), vectors.astype(np.float64)))
    sums = np.stack([distances[:, own == kind].sum(axis=1) for kind in range(len(kinds))], axis=1)
    sizes = np.bincount(own)
    at = np.arange(len(vectors)), own
    inside = sums[at] / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[at] = np.inf
    outside = means.min(axis=1)
    spread = np.maximum(np.maximum(inside, outside), 1e-12)
    values = np.where(sizes[own] > 1, (outside - inside) / spread, 0.0)
    return float(values.mean())


def _learnt(vectors: np.ndarray, seed: int) -> np.ndarray:
    """The rows that centres are found from."""
    if len(vectors) <= _LEARNT:
        return np.asarray(vectors, np.float64)
    rows = np.random.default_rng(seed).choice(len(vectors), _LEARNT, replace=False)
    return np.asarray(vectors[np.sort(rows)], np.float64)


def _best(vectors: np.ndarray, k: int, seed: int, tries: int) -> np.ndarray:
    """The centres of the tightest of several tries."""
    made = [
        _moved(vectors, _started(vectors, k, np.random.default_rng([seed, k, one]))) for one in range(max(1, tries))
    ]
    return min(made, key=lambda pair: pair[1])[0]


def _started(vectors: np.ndarray, k: int, chance: np.random.Generator) -> np.ndarray:
    """First centres, far from each other by chance (k-means++, Arthur and Vassilvitskii 2007)."""
    centres = vectors[[int(chance.integers(len(vectors)))]]
    while len(centres) < k:
        far = _squares(vectors, centres).min(axis=1)
        if far.sum() <= 1e-12:  # every different row is a centre already
            break
        centres = np.concatenate([centres, vectors[[int(chance.choice(len(vectors), p=far / far.sum()))]]])
    return centres


def _moved(vectors: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, float]:
    """Centres moved to the means of their rows until no row changes its group (Lloyd); and the sum of squares."""
    labels = np.full(len(vectors), -1)
    for _ in range(_STEPS):
        now, _squared = _nearest(vectors, centres)
        if (now == labels).all():
            break
        labels = now
        held = np.unique(labels)
        centres = np.stack([vectors[labels == group].mean(axis=0) for group in held])
        labels = np.searchsorted(held, labels)
    return centres, float(_nearest(vectors, centres)[1].sum())


def _nearest(vectors: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row its nearest centre, and how far that is, squared."""
    labels, squared = [], []
    for at in range(0, len(vectors), _BLOCK):
        far = _squares(np.asarray(vectors[at : at + _BLOCK], np.float64), centres)
        labels.append(far.argmin(axis=1))
        squared.append(far.min(axis=1))
    return np.concatenate(labels), np.concatenate(squared)


def _squares(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Squared distances between rows."""
    lengths = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None, :]
    far: np.ndarray = np.maximum(lengths - 2 * one @ other.T, 0.0)
    return far


def _numbered(vectors: np.ndarray, centres: np.ndarray) -> Groups:
    """All rows in the groups of their nearest centres, numbered in the order in which rows meet them."""
    labels, _ = _nearest(vectors, centres)
    kinds, first = np.unique(labels, return_index=True)
    order = kinds[np.argsort(first)]
    new = np.empty(len(centres), np.int64)
    new[order] = np.arange(len(order))
    return Groups(new[labels], np.asarray(centres[order], np.float32))
