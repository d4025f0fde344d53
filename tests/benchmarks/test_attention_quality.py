"""What the attention benchmark makes of answers: which cells count, gaps with intervals, kept mass of many cells."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
pytest.importorskip("torch", reason="needs the extra local")
sys.path[:0] = [str(ROOT / "benchmarks"), str(ROOT)]

import attention_calibrated as calibrated  # noqa: E402
import attention_quality as quality  # noqa: E402

from ragctx.attention import Extent  # noqa: E402
from ragctx.attention.selection.mass import Kept  # noqa: E402


def row(policy, scores, *, haystack=0, kind="eight-key", length=4096, chunk=2048, kept=None):
    answers = [{"kind": kind, "score": score, "answer": "", "wanted": []} for score in scores]
    found = {"length": length, "chunk": chunk, "policy": policy, "haystack": haystack}
    return found | {"answers": answers, "kept": kept}


def test_only_cells_that_dense_attention_can_do_are_compared():
    rows = [
        *(row("dense", [1, 1], haystack=n) for n in range(5)),
        *(row("auto", [1, n % 2], haystack=n) for n in range(5)),
        *(row("dense", [0, 1], haystack=n, kind="tracing") for n in range(5)),  # 0.5: cannot tell anything
        *(row("auto", [1, 1], haystack=n, kind="tracing") for n in range(5)),
    ]
    found = quality.figures(rows)
    assert found["policy_quality_gap"] == pytest.approx(30.0)
    assert found["quality_pairs"] == 10
    low, high = found["policy_quality_interval"]
    assert 0 <= low <= 30 <= high <= 50
    by_cell = {(each["kind"], each["policy"]): each for each in found["quality_rows"]}
    assert by_cell["eight-key", "dense"]["counts"]
    assert not by_cell["tracing", "auto"]["counts"]
    assert by_cell["tracing", "auto"]["score"] == 1.0


def test_a_question_without_its_pair_is_left_out():
    rows = [row("dense", [1, 1]), row("auto", [1, 1]), row("auto", [0, 0], haystack=7)]
    assert quality.figures(rows)["quality_gaps"]["auto"] | {"interval": None} == {
        "gap": 0.0,
        "interval": None,
        "pairs": 2,
        "haystacks": 1,
        "cells": 1,
    }


def test_nothing_to_compare_is_null_with_its_reason():
    found = quality.figures([row("dense", [0, 0]), row("auto", [1, 1])])
    assert found["policy_quality_gap"] is None
    assert found["kept_mass_p5"] is None
    assert set(found["why_null"]) == {"policy_quality_gap", "quality_pairs", "kept_mass_p5"}


def test_kept_mass_of_cells_is_that_of_all_their_rows():
    shares = [np.linspace(0.9, 1.0, 40), np.linspace(0.2, 0.9, 60)]
    cells = []
    for each in shares:
        figure = Kept()
        figure.add(each)
        bins = {str(place): int(count) for place, count in enumerate(figure.bins) if count}
        cells.append({"rows": figure.rows, "total": figure.total, "bins": bins})
    whole = Kept()
    whole.add(np.concatenate(shares))
    found = quality.kept(cells)
    assert (found.rows, found.percentile(5)) == (whole.rows, whole.percentile(5))
    assert found.mean == pytest.approx(whole.mean)
    rows = [row("dense", [1]), *(row("auto", [1], haystack=n, kept=cell) for n, cell in enumerate(cells))]
    assert quality.figures(rows)["kept_mass_p5"] == whole.percentile(5)


def test_a_watched_policy_chooses_the_same_and_measures_rows_that_may_be_sparse():
    import torch

    from ragctx.attention.selection.evidence import Evidence, TensorKeys
    from ragctx.attention.selection.policy import Sparsity

    policy = Sparsity.of({"rule": "streaming", "gate": 1024, "sinks": 64, "local": 64, "dense_layers": 1})
    watched = quality.Watched(policy)
    generator = torch.Generator().manual_seed(0)
    tensors = (torch.randn(4096, heads, 16, generator=generator) for heads in (4, 2))
    query, keys = tensors
    seen = Evidence(Extent(4096, 4096), query, TensorKeys(keys), layer=1)
    made, same = watched.index([seen]), policy.index([seen])
    assert made.blocks.tolist() == same.blocks.tolist()
    assert watched.fingerprint == policy.fingerprint
    told = watched.told()
    assert told["rows"] == 4 * sum(place >= 1024 for place in watched.masses.places(seen.extent)) > 0
    assert watched.kept.percentile(50) < 0.5  # of a kilotoken and more, two hundred keys
    first = Evidence(seen.extent, query, TensorKeys(keys), layer=0)
    assert watched.index([first]) is None  # a dense layer does not better the figure
    assert watched.told() == told


def test_every_rule_is_asked_beside_dense_attention_and_auto():
    named = quality.policies(None)
    assert named["dense"] is None
    assert all(any(name.startswith(rule) for name in named) for rule in {*quality.RULES} - {*calibrated.RULES})
    assert named["pooled-1024"].rule.budget == 1024
    assert named["streaming-2048"].rule.local == 2048
    assert set(quality.policies(["auto"])) == {"dense", "auto"}
    planned = list(quality._plan(quality.LENGTHS, named, 0))
    assert {name for length, name, _, _ in planned if length.tokens > 8192} == {"dense", "auto"}
    pairs = sum((3 * length.after + length.before) for length, name, _, _ in planned if name == "auto")
    assert pairs >= 200


def test_rules_that_know_the_model_are_made_from_what_calibration_kept():
    import torch

    from ragctx.attention.selection.evidence import Evidence, TensorKeys

    collecting = calibrated.Collecting()
    for begin in (0, 1024):  # two chunks: the last one counts
        for layer in (0, 1):
            seen = Evidence(
                Extent(1024, begin + 1024),
                torch.randn(1024, 4, 16),
                TensorKeys(torch.randn(begin + 1024, 2, 16)),
                layer,
            )
            assert collecting.index([seen]) is None
    assert {layer: (each.extent.first, each.extent.keys) for layer, each in collecting.layers.items()} == {
        0: (1984, 2048),
        1: (1984, 2048),
    }
    found = {"layers": [1], "table": [[[0.0, 0.5], [64.0, 0.0]]] * 2}
    made = calibrated.policies(found, gate=128)
    assert made["lazy-layers"].rule.layers == (1,)
    assert made["head-table"].rule.table == (((0.0, 0.5), (64.0, 0.0)),) * 2
