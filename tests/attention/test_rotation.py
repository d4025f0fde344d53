"""Rotary positions as a value: the same frequencies and the same rotation as transformers' own."""

from __future__ import annotations

import numpy as np
import pytest

from ragctx.attention.positions import Rotation
from ragctx.errors import ConfigError

torch = pytest.importorskip("torch", reason="needs the extra local")
transformers = pytest.importorskip("transformers", reason="needs the extra local")

BASE = {"rope_theta": 10000.0}
SCALINGS = [
    {"rope_type": "default"},
    {"rope_type": "linear", "factor": 4.0},
    {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 512,
    },
    {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 2048},
    {
        "rope_type": "yarn",
        "factor": 3.0,
        "original_max_position_embeddings": 2048,
        "beta_fast": 20.0,
        "beta_slow": 2.0,
        "truncate": False,
    },
]


def config(**scaling):
    return transformers.LlamaConfig(
        hidden_size=256, num_attention_heads=4, num_key_value_heads=2, num_hidden_layers=1, intermediate_size=32,
        vocab_size=32, max_position_embeddings=8192, rope_parameters=BASE | scaling,
    )  # fmt: skip


@pytest.mark.parametrize("scaling", SCALINGS, ids=lambda scaling: scaling["rope_type"])
def test_frequencies_are_those_of_transformers(scaling):
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    made = config(**scaling)
    theirs = LlamaRotaryEmbedding(made).inv_freq.numpy()
    assert np.allclose(Rotation.of(made.to_dict()).frequencies, theirs, rtol=2e-6)


def test_the_temperature_is_that_of_transformers():
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    from ragctx.attention.positions.frequencies import temperature

    made = config(**SCALINGS[3])
    assert LlamaRotaryEmbedding(made).attention_scaling == pytest.approx(temperature(4.0))


@pytest.mark.parametrize("scaling", SCALINGS, ids=lambda scaling: scaling["rope_type"])
def test_turning_on_is_rotating_to_another_place(scaling):
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

    made = config(**scaling)
    embedding = LlamaRotaryEmbedding(made)
    states = torch.randn(1, 4, 50, 64, generator=torch.Generator().manual_seed(0))
    old, new = torch.arange(100, 150)[None], torch.arange(0, 150, 3)[None]
    at = [apply_rotary_pos_emb(states, states, *embedding(states, places))[0] for places in (old, new)]
    turned = Rotation.of(made.to_dict()).turned(at[0][0].transpose(0, 1), (new - old)[0].numpy())
    assert torch.allclose(turned, at[1][0].transpose(0, 1), atol=5e-5)


def test_neighbours_may_be_pairs_and_a_part_may_stay():
    rotation = Rotation((0.3, 0.1), halves=False)
    states = torch.randn(5, 2, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    turned = rotation.turned(states, np.arange(5) - 2)
    numbers = torch.view_as_complex(states[..., :4].reshape(5, 2, 2, 2))
    angle = torch.tensor(np.exp(1j * np.outer(np.arange(5) - 2, [0.3, 0.1])))
    wanted = torch.view_as_real(numbers * angle[:, None]).flatten(-2)
    assert torch.allclose(turned[..., :4], wanted)
    assert torch.equal(turned[..., 4:], states[..., 4:])


def test_far_turns_lose_little_in_short_numbers():
    rotation = Rotation.of(config(rope_type="default").to_dict())
    states = torch.randn(20, 2, 64, generator=torch.Generator().manual_seed(0))
    by = np.arange(20) * 50_000 - 400_000
    exact = rotation.turned(states.double(), by)
    assert float((rotation.turned(states, by) - exact).abs().max()) < 1e-5
    short = states.bfloat16()
    error = rotation.turned(short, by).double() - rotation.turned(short.double(), by)
    assert float(error.norm() / exact.norm()) < 2.0**-8  # bfloat16's own rounding, once


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"hidden_size": 64, "num_attention_heads": 4}, "no one rotary base"),
        ({"head_dim": 8, "rope_parameters": {"full": BASE, "sliding": BASE}}, "no one rotary base"),
        ({"head_dim": 8, "rope_parameters": BASE | {"rope_type": "dynamic", "factor": 2.0}}, "depend on the text"),
        ({"head_dim": 8, "rope_theta": 1e4, "rope_scaling": {"type": "linear"}}, "lack 'factor'"),
    ],
)
def test_other_positions_are_refused(given, why):
    with pytest.raises(ConfigError, match=why):
        Rotation.of(given)
