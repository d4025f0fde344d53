"""Groups of vectors: the same every time, as many as lie apart, none empty."""

import numpy as np
import pytest

from ragctx.retrievers.kmeans import grouped, silhouette


def blobs(count, rows, seed=1):
    chance = np.random.default_rng(seed)
    centres = np.eye(8)[:count]
    made = np.concatenate([centre + chance.normal(0, 0.05, (rows, 8)) for centre in centres])
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_finds_as_many_groups_as_lie_apart(count):
    groups = grouped(blobs(count, 12))
    assert len(groups.centres) == count
    assert groups.labels.tolist() == [number for number in range(count) for _ in range(12)]


def test_the_same_every_time():
    rows = np.random.default_rng(3).normal(size=(60, 8)).astype(np.float32)
    one, other = grouped(rows), grouped(rows)
    assert (one.labels == other.labels).all()
    assert (one.centres == other.centres).all()


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_few_rows_are_one_group(rows):
    assert grouped(blobs(3, 1)[:rows]).labels.tolist() == [0] * rows


def test_equal_rows_are_one_group():
    rows = np.ones((30, 4), np.float32)
    assert set(grouped(rows).labels.tolist()) == {0}
    assert set(grouped(rows, 5).labels.tolist()) == {0}


def test_a_count_that_was_asked_for():
    assert len(grouped(blobs(2, 20), 4).centres) == 4
    assert len(grouped(blobs(3, 1), 10).centres) == 3


def test_every_group_has_a_row_and_every_row_one():
    groups = grouped(np.random.default_rng(5).normal(size=(200, 6)).astype(np.float32), 9)
    assert sorted(np.concatenate(groups.members).tolist()) == list(range(200))
    assert all(len(rows) for rows in groups.members)


def test_silhouette_prefers_what_lies_together():
    rows = blobs(2, 10).astype(np.float64)
    apart, mixed = np.repeat([0, 1], 10), np.tile([0, 1], 10)
    assert silhouette(rows, apart) > 0.8 > 0.1 > silhouette(rows, mixed)
    assert silhouette(rows, np.zeros(20, int)) == -1
