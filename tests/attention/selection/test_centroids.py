"""Clusters of keys: what they hold, that planted stretches are found, and what the threshold does."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ragctx.attention import Extent
from ragctx.errors import ConfigError

torch = pytest.importorskip("torch", reason="needs the extra local")


@pytest.fixture
def made():
    from ragctx.attention.selection.centroids import Centroids

    return Centroids


@pytest.fixture
def clustered():
    from ragctx.attention.selection.centroids import clustered

    return clustered


@pytest.mark.parametrize(
    "wrong",
    [
        {"part": 0},
        {"part": 100},
        {"part": 256.0},
        {"size": 0},
        {"size": 24},
        {"threshold": -1},
        {"threshold": float("nan")},
        {"threshold": float("inf")},
        {"rounds": -1},
        {"rounds": True},
    ],
)
def test_settings_out_of_range_are_refused(made, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        made(**wrong)


@pytest.mark.parametrize("other", [{"part": 128}, {"size": 32}, {"threshold": 2.5}, {"rounds": 1}])
def test_settings_are_in_the_fingerprint(made, other):
    assert made(**other).fingerprint != made().fingerprint


def test_every_key_is_in_one_cluster_and_each_cluster_is_its_mean(clustered):
    """Keys around a few directions, at odd lengths: one cluster holds what has one direction."""
    draw = torch.Generator().manual_seed(0)
    which = torch.arange(512) % 4
    lengths = torch.rand(512, 1, 1, generator=draw) + 0.5
    keys = torch.eye(16)[which][:, None].repeat(1, 2, 1) * lengths
    means, counts, tiles = clustered(keys, 32, 4)
    assert (counts.sum(1) == 512).all()
    for head in range(2):
        for cluster in counts[head].nonzero()[:, 0].tolist():
            direction = int(means[head, cluster].argmax())
            assert counts[head, cluster] == 128
            assert torch.allclose(means[head, cluster], keys[which == direction, head].mean(0), atol=1e-6)
            assert tiles[head, cluster].all()


def test_more_rounds_bring_keys_nearer_to_their_clusters(clustered):
    keys = torch.randn(512, 1, 8, generator=torch.Generator().manual_seed(0))
    units = torch.nn.functional.normalize(keys[:, 0], dim=1)

    def near(rounds):
        means = torch.nn.functional.normalize(clustered(keys, 32, rounds)[0][0], dim=1)
        return float((units @ means.T).amax(1).mean())

    assert near(0) < near(4)


def test_heads_are_clustered_for_themselves(clustered):
    keys = torch.randn(256, 3, 8, generator=torch.Generator().manual_seed(0))
    whole, alone = clustered(keys, 16, 4), clustered(keys[:, 1:2], 16, 4)
    for one, other in zip(whole, alone, strict=True):
        assert torch.allclose(one[1].float(), other[0].float())


@pytest.mark.parametrize("places", [(100,), (64, 700), (200, 460, 900)])
def test_all_stretches_of_one_topic_are_found(made, past, places):
    """Stretches that stand apart, in several parts, are one thing to a query."""
    from ragctx.attention.selection.evidence import Evidence, TensorKeys

    draw = torch.Generator().manual_seed(1)
    topics, sought = torch.eye(32)[torch.randint(0, 8, (21,), generator=draw)], torch.eye(32)[9]
    keys = 0.3 * torch.randn(1344, 1, 32, generator=draw) + 4 * topics.repeat_interleave(64, 0)[:, None]
    query = torch.randn(64, 2, 32, generator=draw) + 12 * sought
    for place in places:
        keys[place : place + 32] = 12 * sought
    chosen = past(Extent(64, 1344), made(part=256).mask(Evidence(Extent(64, 1344), query, TensorKeys(keys))))
    wanted = {tile for place in places for tile in (place // 64, (place + 31) // 64)}
    assert wanted <= set(chosen[0, 0].nonzero()[0].tolist())
    assert chosen[0, 0].sum() < 15


def test_a_higher_threshold_keeps_fewer_and_a_part_that_is_not_finished_is_seen(made, shown, past):
    seen = shown(1500)
    masks = [past(seen.extent, made(part=256, threshold=value).mask(seen)) for value in (0.0, 1.0, 3.0, 8.0)]
    sums = [mask.sum() for mask in masks]
    assert sums == sorted(set(sums), reverse=True)
    for one, other in pairwise(masks):
        assert (one >= other).all()
    for row in range(1, seen.extent.tiles):
        assert masks[-1][:, row, row // 4 * 4 : row].all()


def test_a_text_shorter_than_a_part_is_seen_whole(made, shown, past):
    seen = shown(700)
    mask = past(seen.extent, made(part=1024).mask(seen))
    assert mask.sum() == 2 * 11 * 10 / 2
