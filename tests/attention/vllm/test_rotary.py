"""How a model's numbers turn is found in the tables that vLLM computes with, or positions are not stretched."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

import torch

from ragctx.attention.vllm import Options
from ragctx.attention.vllm.rotary import rotation_in
from ragctx.errors import ConfigError

CONFIG = {"head_dim": 8, "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}}


def _module(base=10000.0, neox=True, scale=1.0, width=8, dtype=torch.float32):
    rates = base ** -(torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = torch.arange(100)[:, None] * rates
    table = torch.cat([angles.cos(), angles.sin()], -1) * scale
    return SimpleNamespace(is_neox_style=neox, cos_sin_cache=table.to(dtype))


@pytest.mark.parametrize("neox", [True, False])
def test_the_pairing_is_that_of_the_module_that_turns_so(neox):
    others = [_module(base=500.0, neox=not neox), _module(width=16, neox=not neox), SimpleNamespace(is_neox_style=True)]
    rotation = rotation_in(CONFIG, [*others, _module(neox=neox)])
    assert rotation.halves is neox
    assert len(rotation.frequencies) == 4


def test_a_scaled_or_rounded_table_turns_alike():
    assert rotation_in(CONFIG, [_module(scale=1.2), _module(dtype=torch.bfloat16)]).halves


def test_what_is_not_found_or_not_clear_is_refused():
    for modules in ([], [_module(base=500.0)], [_module(), _module(neox=False)]):
        with pytest.raises(ConfigError, match="leave out dual"):
            rotation_in(CONFIG, modules)


def test_an_entry_tells_dual_chunks_as_a_mapping():
    options = Options.of({"dual": {"chunk": 192, "local": 64}})
    assert options.dual.stride == 128
    assert not options.plain
    assert options.fingerprint != Options().fingerprint
    for wrong in ({"chunk": 192}, {"chunk": 192, "local": 65}, {"chonk": 1}):
        with pytest.raises(ConfigError):
            Options.of({"dual": wrong})
