"""Kept mass where models run: counted by layer in transformers models and in layers of vLLM, and told in reports."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from ragctx.attention import BlockIndex, Extent
from ragctx.errors import ConfigError

torch = pytest.importorskip("torch", reason="needs the extra local")

POLICY = {"rule": "streaming", "gate": 64, "sinks": 64, "local": 64, "dense_layers": 1, "last_rows": 0}


@pytest.fixture
def model():
    transformers = pytest.importorskip("transformers", reason="needs the extra local")
    torch.manual_seed(5)
    sizes = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = transformers.LlamaConfig(vocab_size=99, num_hidden_layers=3, initializer_range=0.3, **sizes)
    return transformers.LlamaForCausalLM(config).eval()


def run(model, measure, chunk=1024, tokens=1024):
    from transformers import DynamicCache

    from ragctx.attention.transformers import install

    attending = install(model, POLICY, threads=1, measure=measure)
    ids, cache = torch.randint(0, 99, (1, tokens), generator=torch.Generator().manual_seed(0)), DynamicCache()
    with torch.inference_mode():
        logits = [model(part, past_key_values=cache, use_cache=True).logits for part in ids.split(chunk, 1)]
    return torch.cat(logits, 1), attending.counts


def test_a_model_tells_what_each_sparse_layer_keeps(model):
    plain, off = run(model, 0)
    logits, counts = run(model, 4)
    assert off.masses is None
    assert "kept" not in off.told()
    assert torch.equal(plain, logits)
    told = counts.told()["kept"]
    assert list(told) == [1, 2]  # the first one is dense
    for figures in told.values():
        assert figures["rows"] == 4 * 4
        assert 0 < figures["p5"] <= figures["mean"] < 1


def test_what_is_kept_is_the_share_of_the_models_own_probabilities(model):
    """The first sparse layer has the inputs of a dense model, whose probabilities tell what a policy leaves."""
    from ragctx.attention.selection.mass import Masses

    _, counts = run(model, 4)
    model.set_attn_implementation("eager")
    ids = torch.randint(0, 99, (1, 1024), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        chances = model(ids, output_attentions=True).attentions[1][0].double()
    shares = []
    for place in Masses(4).places(Extent(1024, 1024)):
        tile = place // 64
        seen = sum(chances[:, place, each * 64 : each * 64 + 64].sum(-1) for each in {0, tile - 1, tile})
        shares.append(seen)
    assert counts.masses.layers[1].mean == pytest.approx(float(torch.stack(shares).mean()), abs=1e-4)


def test_chunks_count_the_same_rows(model):
    whole, cut = run(model, 4)[1].masses, run(model, 4, chunk=256)[1].masses
    assert whole.all.rows == cut.all.rows
    assert whole.all.mean == pytest.approx(cut.all.mean, abs=1e-4)


def test_a_layer_of_vllm_counts_all_requests_of_a_step():
    from ragctx.attention.selection.evidence import TensorKeys
    from ragctx.attention.selection.policy import Sparsity
    from ragctx.attention.vllm.layer import Layer, Step
    from ragctx.attention.vllm.options import Options

    extents = (Extent(640, 640), Extent(1, 700), Extent(320, 960))
    keys = [torch.randn(extent.keys, 2, 16) for extent in extents]
    query = torch.randn(961, 4, 16)

    def kernel(query, held, index, *, scale, output):
        output.zero_()

    step = Step(query, query.clone(), extents, None, lambda n: TensorKeys(keys[n]), kernel, SimpleNamespace(), True)
    for measure, rows in ((0, None), (2, (5 + 2) * 4)):
        layer = Layer(Options(sparse=Sparsity.of(POLICY), measure=measure), "", heads=2, scale=0.25, number=3)
        assert layer.serves(lambda: step)
        told = json.loads(json.dumps(layer.counts.told()))
        assert told.get("kept", {}).get("3", {}).get("rows") == rows


def test_counts_of_layers_are_added():
    from ragctx.attention.selection.evidence import Evidence, TensorKeys
    from ragctx.attention.vllm.counts import Counts

    extent, each = Extent(640, 640), []
    index = BlockIndex.chosen([extent], 1, lambda request, head, tile: [tile])
    for layer in (2, 5, 5):
        counts = Counts()
        counts.measure(
            [Evidence(extent, torch.zeros(640, 1, 16), TensorKeys(torch.zeros(640, 1, 16)), layer)], index, 2
        )
        each.append(counts)
    total = Counts.total([Counts(), *each])
    assert {layer: kept.rows for layer, kept in total.masses.layers.items()} == {2: 5, 5: 10}
    assert each[0].masses.all.rows == 5  # nothing is added to what was there
    assert total.masses.all.mean == pytest.approx(each[0].masses.all.mean)


@pytest.mark.parametrize("wrong", [-1, 1.5, True, "4"])
def test_numbers_that_measure_nothing_are_refused(wrong):
    from ragctx.attention.vllm.options import Options

    with pytest.raises(ConfigError, match="measure"):
        Options.of({"sparse": "auto", "measure": wrong})
