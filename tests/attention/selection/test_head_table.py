"""Spans of heads: the table and its file, windows by the definition, and what calibration finds."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ragctx.attention import Extent
from ragctx.errors import ConfigError

torch = pytest.importorskip("torch", reason="needs the extra local")


@pytest.fixture
def made():
    from ragctx.attention.selection.head_table import HeadTable

    return HeadTable


@pytest.fixture
def looking():
    """Evidence whose KV heads look back over so many tokens each, evenly, and nowhere else."""
    from ragctx.attention.selection.evidence import Evidence, TensorKeys

    def evidence(tokens, *backs):
        keys, query = torch.zeros(tokens, len(backs), 16), torch.zeros(64, len(backs), 16)
        for head, back in enumerate(backs):
            keys[tokens - back :, head, 0] = 12
            query[:, head, 0] = 12
        return Evidence(Extent(64, tokens), query, TensorKeys(keys))

    return evidence


WRONG = [
    3,
    {"0": []},
    [[]],
    [[[64]]],
    [[[64, 0.1, 2]]],
    [[[-1, 0]]],
    [[[64, 1.5]]],
    [[[float("nan"), 0]]],
    [[[float("inf"), 0]]],
    [[[True, 0]]],
    [[["64", 0]]],
    [64, 0.1],
]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_table_is_refused(made, wrong, tmp_path):
    with pytest.raises(ConfigError, match="head-table"):
        made(table=wrong)
    (tmp_path / "spans.json").write_text(json.dumps({"spans": wrong}))
    with pytest.raises(ConfigError, match="head-table"):
        made(table=str(tmp_path / "spans.json"))


@pytest.mark.parametrize("text", ["", "[", "[]", '{"spans": [], "more": 1}', "{}", "\udcff"])
def test_what_is_no_file_of_a_table_is_refused(made, text, tmp_path):
    (tmp_path / "spans.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match="head-table"):
        made(table=str(tmp_path / "spans.json"))
    with pytest.raises(ConfigError, match="cannot be read"):
        made(table=str(tmp_path / "none.json"))


def test_sinks_below_zero_are_refused(made):
    with pytest.raises(ConfigError, match="sinks"):
        made(sinks=-1)


def test_a_file_is_its_table_and_the_table_is_in_the_fingerprint(made, tmp_path):
    from ragctx.attention.selection.head_table import written
    from ragctx.attention.selection.policy import Sparsity

    rule = made(table=[[[64, 0.25], [128, 0]], [[0, 1]]], sinks=64)
    path = written(rule, tmp_path / "spans.json")
    assert made(table=str(path), sinks=64) == rule
    assert hash(rule) == hash(made(table=str(path), sinks=64))
    fingerprint = rule.fingerprint
    path.write_text(json.dumps({"spans": [[[64, 0.5]]]}))
    assert made(table=str(path), sinks=64).fingerprint != fingerprint == rule.fingerprint
    told = Sparsity.of({"rule": "head-table", "table": str(path), "sinks": 64})
    assert told.rule == made(table=(((64, 0.5),),), sinks=64)


def test_windows_are_those_of_the_definition(made, shown, past):
    seen = shown(1300, 500)
    table = (((64.0, 0.25), (200.0, 0.0)), ((0.0, 1.0),))
    rule = made(table=table, sinks=64)
    for layer in range(3):
        chosen = past(seen.extent, rule.mask(replace(seen, layer=layer)))
        for head in range(2):
            for row in range(seen.extent.tiles):
                own = seen.extent.base + row
                alpha, beta = (table[layer] * 2)[head] if layer < 2 else (0, 1)
                begin = own * 64 - (alpha + beta * own * 64)
                wanted = [tile for tile in range(own) if tile == 0 or (tile + 1) * 64 > begin + 1e-6]
                assert chosen[head, row].nonzero()[0].tolist() == wanted


def test_a_table_of_another_model_is_refused(made, shown):
    with pytest.raises(ConfigError, match="3 heads and the model 2"):
        made(table=(((64, 0),) * 3,)).mask(shown(300))


def test_profiles_cover_what_heads_need_at_both_lengths(made, looking):
    from ragctx.attention.selection.profile import needed, profiled

    short, long = looking(1280, 256, 640, 320), looking(2560, 256, 960, 1920)
    spans = needed(short, 0.99, 0), needed(long, 0.99, 0)
    rule = profiled({0: short}, {0: long}, 0.99, 0)
    assert rule.table[0][0] == (spans[0][0], 0.0)  # a head that needs no more
    assert rule.table[0][1][1] == pytest.approx(320 / 1280)
    assert rule.table[0][2][0] == 0.0  # a need that grows faster than the text
    for seen, wanted in ((short, spans[0]), (long, spans[1])):
        for head, (alpha, beta) in enumerate(rule.table[0]):
            assert alpha + beta * seen.extent.keys >= wanted[head] - 1e-6
    assert 192 <= spans[0][0] <= 256 < 512 <= spans[0][1] <= 640


def test_profiled_windows_keep_their_share(shown, recall):
    from ragctx.attention.selection.profile import profiled

    lengths = [shown(tokens, tokens - 64) for tokens in (700, 1300)]
    for share in (0.5, 0.9):
        rule = profiled(*({0: seen} for seen in lengths), share=share, sinks=64)
        for seen in lengths:
            assert recall(seen, rule.mask(seen)) >= share - 0.05


def test_what_cannot_be_profiled_is_refused(looking):
    from ragctx.attention.selection.profile import profiled

    short, long = looking(1280, 256), looking(2560, 256)
    for given in (({}, {}), ({0: short}, {1: long}), ({1: short}, {1: long}), ({0: long}, {0: short})):
        with pytest.raises(ConfigError):
            profiled(*given)
    for share in (0.0, 1.1):
        with pytest.raises(ConfigError, match="share"):
            profiled({0: short}, {0: long}, share)


def test_lazy_layers_are_measured(looking):
    """A layer that looks at what is near alone, and one that looks at its whole past."""
    from ragctx.attention.selection.lazy_layers import laziest
    from ragctx.attention.selection.profile import lazy_ratios

    seen = [replace(looking(1280, back), layer=layer) for layer, back in enumerate((1280, 200, 1280, 100))]
    ratios = lazy_ratios(seen, sinks=64, local=192)
    assert ratios[3] == ratios[1] == pytest.approx(1.0, abs=1e-5)
    assert ratios[0] == pytest.approx((64 + 192 + 32) / 1248, abs=0.01)
    assert laziest(ratios, 2) == (1, 3)
    assert lazy_ratios([*seen, replace(seen[0], layer=1)], 64, 192)[1] == pytest.approx((1 + ratios[0]) / 2, abs=1e-5)


def test_lazy_layers_are_not_measured_on_nothing(looking):
    from ragctx.attention.selection.profile import lazy_ratios

    with pytest.raises(ConfigError, match="more than sinks"):
        lazy_ratios([looking(320, 100)], 64, 256)
    with pytest.raises(ConfigError, match="calibration"):
        lazy_ratios([])
