"""Lazy layers: which stream, what they see, and how they are ranked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragctx.errors import ConfigError

torch = pytest.importorskip("torch", reason="needs the extra local")


@pytest.fixture
def made():
    from ragctx.attention.selection.lazy_layers import LazyLayers

    return LazyLayers


@pytest.mark.parametrize(
    "wrong",
    [{"layers": (1, 1)}, {"layers": (2, 1)}, {"layers": (-1,)}, {"layers": (True,)}, {"sinks": -1}, {"local": 1.5}],
)
def test_settings_out_of_range_are_refused(made, wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        made(**wrong)


def test_only_named_layers_stream(made, shown, past):
    seen, rule = shown(1300, 500), made(layers=(1, 3), sinks=64, local=128)
    counts = [past(seen.extent, rule.mask(replace(seen, layer=layer)))[0].sum(-1)[-1] for layer in range(4)]
    assert counts == [20, 3, 20, 3]


def test_a_list_is_a_tuple_and_the_layers_are_in_the_fingerprint(made):
    assert made(layers=[1, 2]) == made(layers=(1, 2))
    assert made(layers=(1,)).fingerprint != made(layers=(2,)).fingerprint


def test_the_laziest_are_named():
    from ragctx.attention.selection.lazy_layers import laziest

    assert laziest({0: 0.5, 1: 0.9, 2: 0.9, 3: 0.95}, 2) == (1, 3)
    for ratios, count in (({0: 0.5}, 2), ({0: 1.5}, 1), ({0: float("nan")}, 1)):
        with pytest.raises(ConfigError):
            laziest(ratios, count)
