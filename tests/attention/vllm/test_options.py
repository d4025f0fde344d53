"""What needs no vLLM: options, counts, extents of a step, refusals, the plug-in's place among vLLM's own."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from importlib.metadata import entry_points
from types import SimpleNamespace

import pytest

pytest.importorskip("torch")

import torch

from ragctx.attention import BlockIndex, Extent
from ragctx.attention.positions import DualChunk
from ragctx.attention.vllm import Counts, Options, check
from ragctx.attention.vllm.batch import dense_index, extents_of, prompts_of
from ragctx.attention.vllm.impl import SparseImpl, refusal
from ragctx.attention.vllm.layer import Layer, Step
from ragctx.attention.vllm.options import configured
from ragctx.attention.vllm.plugin import BACKENDS
from ragctx.attention.vllm.report import Report
from ragctx.errors import ConfigError, UnknownName


def test_an_entry_is_a_policy_or_a_mapping_and_nothing_else():
    assert configured({}) is configured(None) is None
    assert configured({"ragctx": "off"}) == Options() == configured({"ragctx": {"sparse": "off"}})
    assert configured({"ragctx": "auto"}).sparse is not None
    with pytest.raises(UnknownName, match="did you mean 'sparse'"):
        Options.of({"sparce": "auto"})
    with pytest.raises(ConfigError, match="stock or own"):
        Options.of({"dense": "fast"})
    for wrong in ({"threads": -1}, {"threads": "4"}, {"threads": True}, {"clock": "no"}, {"report": 5}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            Options.of(wrong)


def test_fingerprints_tell_policies_apart():
    every = [{"sparse": "off"}, {"sparse": "off", "dense": "own"}, {"sparse": "auto"}]
    assert len({Options.of(given).fingerprint for given in every}) == 3
    assert Options.of("auto").fingerprint == Options.of("auto").fingerprint


@pytest.mark.parametrize(
    ("starts", "lengths", "expected"),
    [
        ([0, 60, 256], [60, 196], [(60, 60), (196, 196)]),  # two prompts
        ([0, 1, 256], [61, 451], [(1, 61), (255, 451)]),  # decoding beside a chunk
        ([0, 256], [640], [(256, 640)]),  # after a kept beginning
        ([0, 1, 2], [451, 452], [(1, 451), (1, 452)]),
        ([0, 1, 1], [451, 0], []),  # padding
        ([0, 5], [3], []),
    ],
)
def test_steps_become_extents(starts, lengths, expected):
    found = extents_of(torch.tensor(starts, dtype=torch.int32), torch.tensor(lengths, dtype=torch.int32))
    assert [(extent.queries, extent.keys) for extent in found] == expected


def test_the_dense_index_is_made_once_a_step():
    step, extents = SimpleNamespace(), (Extent(70, 200), Extent(1, 65))
    first = dense_index(step, extents, 2)
    assert dense_index(step, extents, 2) is first
    assert first.density == 1
    assert dense_index(step, extents, 1).heads == 1


def _impl(**other):
    plain = {
        "attn_type": "decoder", "sliding_window": -1, "logits_soft_cap": 0, "alibi_slopes": None, "sinks": None,
        "kv_cache_dtype": "auto", "kv_sharing_target_layer_name": None,
    }  # fmt: skip
    return SimpleNamespace(**plain | other)


_CONFIG = SimpleNamespace(speculative_config=None, parallel_config=SimpleNamespace(decode_context_parallel_size=1))


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"sliding_window": 255}, "sliding window"),
        ({"sliding_window": (255, 0)}, "sliding window"),
        ({"logits_soft_cap": 30.0}, "soft cap"),
        ({"alibi_slopes": torch.ones(2)}, "ALiBi"),
        ({"sinks": torch.ones(2)}, "sinks"),
        ({"kv_cache_dtype": "fp8_e4m3"}, "8 bits"),
        ({"attn_type": "encoder_only"}, "encoder_only"),
        ({"kv_sharing_target_layer_name": "model.layers.0"}, "another layer"),
    ],
)
def test_what_the_kernel_cannot_serve_is_refused_with_its_reason(other, why):
    assert why in refusal(_impl(**other), _CONFIG)
    assert refusal(_impl(), _CONFIG) == refusal(_impl(sliding_window=(-1, -1)), _CONFIG) == ""


class _Keep:
    """A policy of the first and the own tile; none for short sequences."""

    fingerprint = "keep"

    def index(self, seen):
        extents = [evidence.extent for evidence in seen]
        if max(extent.keys for extent in extents) < 256:
            return None
        return BlockIndex.chosen(extents, 2, lambda request, head, tile: sorted({0, tile}))


def _step(extents, called, causal=True):
    tokens = sum(extent.queries for extent in extents)
    query = torch.zeros(tokens, 4, 32)

    def kernel(query, held, index, *, scale, output):
        called.append(index)

    return Step(query, query, tuple(extents), None, lambda request: None, kernel, SimpleNamespace(), causal)


def test_a_layer_serves_what_it_can_and_counts_the_rest_by_reason():
    called = []
    layer = Layer(Options(sparse=_Keep()), "", heads=2, scale=1.0)
    assert layer.serves(lambda: _step([Extent(1, 700), Extent(300, 300)], called))
    assert not layer.serves(lambda: _step([Extent(100, 100)], called))
    assert not layer.serves(lambda: _step([], called))
    assert not layer.serves(lambda: _step([Extent(300, 300)], called, causal=False))
    assert layer.counts.sparse == len(called) == 1
    assert sum(layer.counts.dense.values()) == 3
    assert len(layer.counts.dense) == 3
    assert layer.counts.density == called[0].density < 1


def test_a_policy_is_told_which_requests_read_their_prompt():
    told = []
    policy = SimpleNamespace(index=lambda seen: told.append([each.prompt for each in seen]))
    layer, extents = Layer(Options(sparse=policy), "", heads=2, scale=1.0), (Extent(1, 700), Extent(1, 513))
    prompts = prompts_of(torch.tensor([False, True, False]), extents)
    assert not layer.serves(lambda: replace(_step(extents, []), prompts=prompts))
    assert not layer.serves(lambda: _step(extents, []))
    assert told == [[False, True], [False, False]]


def test_own_dense_attention_is_no_sparse_call():
    called = []
    layer = Layer(Options(dense="own"), "", heads=2, scale=1.0)
    assert layer.serves(lambda: _step([Extent(100, 100)], called))
    assert (layer.counts.own, layer.counts.sparse, layer.counts.density) == (1, 0, 1.0)


def test_a_refused_layer_makes_no_step_and_says_why_once(caplog):
    layer = Layer(Options(sparse=_Keep()), "a test's own reason", heads=2, scale=1.0, number=7)
    for _ in range(3):
        assert not layer.serves(lambda: pytest.fail("made"))
    assert layer.counts.dense == {"a test's own reason": 3}
    assert caplog.text.count("layer 7 stays dense: a test's own reason") == 1


def test_beyond_a_chunk_nothing_is_left_to_plain_attention():
    layer = Layer(Options(dual=DualChunk(192, 64)), "", heads=2, scale=1.0)
    for step in (_step([Extent(300, 300)], [], causal=False), _step([], [])):
        step.metadata.max_seq_len = 300
        with pytest.raises(ConfigError, match="keep texts to 192 tokens, or leave out dual"):
            layer.serves(lambda step=step: step)
    assert not layer.serves(lambda: _step([Extent(192, 192)], [], causal=False))
    assert sum(layer.counts.dense.values()) == 1


class _Stock:
    def forward(self, *given, **options):
        return "stock"


class _Unserved(SparseImpl, _Stock):
    """A layer that was refused as it was made, or in whose process no rotary module is found."""

    def __init__(self, options, refused):
        self.ragctx, self.layout = Layer(options, refused, 2, 1.0), ""
        self._config = SimpleNamespace(to_dict=lambda: {"head_dim": 8, "rope_theta": 10000.0})

    def _look(self, *given):
        self.layout = "unread"


@pytest.mark.parametrize(("refused", "why"), [("a sliding window", "a sliding window; leave out dual"), ("", "turns")])
def test_positions_that_cannot_be_stretched_fail_at_every_call(monkeypatch, refused, why):
    monkeypatch.setattr("ragctx.attention.vllm.impl.loaded", list)
    given = [None] * 4 + ["cache", SimpleNamespace(slot_mapping=None), "output"]
    layer = _Unserved(Options(dual=DualChunk(192, 64)), refused)
    for _ in range(2):
        with pytest.raises(ConfigError, match=why):
            layer.forward(*given)
    assert _Unserved(Options(sparse=_Keep()), "a sliding window").forward(*given) == "stock"


def test_without_options_of_ours_nothing_is_counted():
    layer = Layer(None, "", heads=2, scale=1.0)
    assert not layer.serves(lambda: pytest.fail("made"))
    assert layer.counts == Counts()


def test_counts_add_up_and_can_be_told():
    index = BlockIndex.chosen([Extent(300, 300)], 1, lambda request, head, tile: [tile])
    one = Counts()
    one.took(index)
    with one.clocked("own", on=True):
        sum(range(100_000))
    two = one + Counts(own=1, computed=15, possible=15)
    assert (two.sparse, two.own, two.computed, two.possible) == (1, 1, 20, 30)
    told = json.loads(json.dumps(two.told()))
    assert told["seconds"]["own"] > 0
    assert told["density"] == pytest.approx(2 / 3, abs=1e-6)


def test_a_report_is_written_soon_and_whole(tmp_path):
    layer = Layer(Options(dense="own", report=str(tmp_path / "counts.json")), "", heads=2, scale=1.0)
    report = Report(tmp_path / "counts.json", [layer])
    layer.counts.own = 3
    report.note()
    report.note()
    deadline = time.monotonic() + 10
    while not report.path.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    told = json.loads(report.path.read_text())
    assert (told["own"], told["layers"], told["policy"]) == (3, 1, "dense:own")
    assert [path.name for path in tmp_path.iterdir()] == ["counts.json"]


class _Model:
    def __init__(self, *modules):
        self.modules = modules

    def named_modules(self):
        return [(f"layers.{number}", module) for number, module in enumerate(self.modules)]


def _module(impl):
    return SimpleNamespace(attn_backend=Options, impl=impl)


def test_the_check_fails_loudly_over_one_layer_of_another_backend():
    ours = _module(SimpleNamespace(ragctx=Layer(None, "", 2, 1.0)))
    assert len(check.layers(_Model(ours, SimpleNamespace(), ours))) == 2
    with pytest.raises(ConfigError, match=r"1 of 2 attention layers, layers\.1 the first.*sparse='off'"):
        check.layers(_Model(ours, _module(SimpleNamespace())))
    with pytest.raises(ConfigError, match="no attention layers"):
        check.layers(_Model(SimpleNamespace()))


def test_the_plug_in_is_registered_for_vllm_to_find():
    [found] = [point for point in entry_points(group="vllm.general_plugins") if point.name == "ragctx"]
    assert found.value == "ragctx.attention.vllm.plugin:register"
    assert set(BACKENDS) == {"CPU_ATTN", "CUSTOM"}
