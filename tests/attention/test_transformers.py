"""Our attention inside transformers' own models: the same answers where it must, an open fall-back where it cannot."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import pytest

from ragctx.attention import BlockIndex
from ragctx.attention.positions import DualChunk
from ragctx.errors import ConfigError

torch = pytest.importorskip("torch", reason="needs the extra local")
transformers = pytest.importorskip("transformers", reason="needs the extra local")

DUAL = DualChunk(chunk=192, local=64)
SIZES = {
    "vocab_size": 120, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "initializer_range": 0.2, "eos_token_id": None,
    "bos_token_id": None, "pad_token_id": 0,
}  # fmt: skip
KINDS = {
    "llama": ("LlamaForCausalLM", {}),
    "llama-64": ("LlamaForCausalLM", {"head_dim": 64}),
    "qwen2": ("Qwen2ForCausalLM", {}),
    "qwen3": ("Qwen3ForCausalLM", {"head_dim": 64}),
    "cohere": ("CohereForCausalLM", {}),
    "mistral": ("MistralForCausalLM", {"sliding_window": 32}),
    "smollm3": ("SmolLM3ForCausalLM", {"no_rope_layers": [1, 0]}),
}


def build(kind, dtype=torch.float32):
    name, more = KINDS[kind]
    torch.manual_seed(5)
    made = getattr(transformers, name)
    return made(made.config_class(**SIZES | more)).to(dtype).eval()


def text(tokens, rows=1, seed=0):
    return torch.randint(1, 120, (rows, tokens), generator=torch.Generator().manual_seed(seed))


def logits(model, ids, chunk=0, **given):
    """In one pass, or chunk by chunk with a growing cache."""
    cache, parts = transformers.DynamicCache(), ids.split(chunk or ids.shape[1], 1)
    with torch.inference_mode():
        return torch.cat([model(part, past_key_values=cache, use_cache=True, **given).logits for part in parts], 1)


def written(model, ids, tokens=8, **given):
    given = {"attention_mask": torch.ones_like(ids)} | given
    with torch.inference_mode():
        return model.generate(ids, max_new_tokens=tokens, do_sample=False, **given)[:, ids.shape[1] :].tolist()


def oracle(model, dual):
    """The model with dual chunk attention by its definition: each score at its own distance, one softmax, float64."""
    rates = model.model.rotary_emb.inv_freq.double()

    def attend(module, query, key, value, mask, scaling, **others):
        heads = query.shape[1] // key.shape[1]
        places = np.arange(key.shape[2])
        asked = places[-query.shape[2] :]
        queries, keys = np.meshgrid(asked, places, indexing="ij")
        off = torch.as_tensor(dual.distances(queries, keys) - (queries - keys))
        angle = off[..., None].double() * rates
        half = len(rates)
        scores = []
        for head in range(query.shape[1]):
            q, k = query[0, head].double()[:, None], key[0, head // heads].double()[None]
            first, second = q[..., :half], q[..., half:]
            turned = (first * angle.cos() - second * angle.sin(), second * angle.cos() + first * angle.sin())
            scores.append((turned[0] * k[..., :half] + turned[1] * k[..., half:]).sum(-1))
        scores = torch.stack(scores) * scaling
        scores = scores.masked_fill(torch.as_tensor(keys > queries), -torch.inf)
        output = torch.einsum("hqk,hkd->qhd", scores.softmax(-1), value[0].double().repeat_interleave(heads, 0))
        return output[None].to(query.dtype), None

    transformers.AttentionInterface.register("dual_by_definition", attend)
    model.set_attn_implementation("dual_by_definition")
    return model


@pytest.mark.parametrize("kind", ["llama", "llama-64", "qwen2", "qwen3"])
def test_dual_chunk_attention_in_prefill_and_steps(kind):
    from ragctx.attention.transformers import install

    ids = text(330)
    model = oracle(build(kind), DUAL)
    wanted, words = logits(model, ids), written(model, ids)
    model = build(kind)
    attending = install(model, "off", dual=DUAL, threads=1)
    for chunk in (0, 64, 100):
        assert torch.allclose(logits(model, ids, chunk), wanted, atol=2e-3)
    assert written(model, ids) == words
    assert attending.counts.own > 0
    assert attending.fingerprint == "dual(192,64,0)"


def test_up_to_a_chunk_nothing_changes():
    from ragctx.attention.transformers import install

    ids, model = text(190), build("llama")
    wanted = logits(model, ids)
    attending = install(model, "off", dual=DUAL)
    assert torch.equal(logits(model, ids), wanted)
    assert attending.counts.own == 0
    assert not torch.allclose(logits(model, text(330)), logits(build("llama"), text(330)), atol=1e-2)


@pytest.mark.parametrize("kind", ["llama", "cohere"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_probe_finds_how_numbers_pair(kind, dtype):
    from ragctx.attention.probing import probed

    model = build(kind, dtype)
    before = model.config._attn_implementation
    rotation = probed(model)
    assert rotation.halves == (kind == "llama")
    assert rotation.frequencies == pytest.approx(model.model.rotary_emb.inv_freq.float().tolist(), rel=1e-2)
    assert model.config._attn_implementation == before


def test_positions_that_cannot_be_stretched_are_refused():
    from ragctx.attention.transformers import install

    with pytest.raises(ConfigError, match="cannot be stretched"):
        install(build("smollm3"), "off", dual=DUAL)
    gpt2 = transformers.GPT2LMHeadModel(transformers.GPT2Config(n_embd=32, n_layer=1, n_head=2, vocab_size=120)).eval()
    with pytest.raises(ConfigError, match="no one rotary base"):
        install(gpt2, "off", dual=DUAL)


def test_attention_that_is_not_plain_is_refused():
    from ragctx.attention.transformers import install

    more = {"head_dim": 16, "query_pre_attn_scalar": 16}
    model = transformers.Gemma2ForCausalLM(transformers.Gemma2Config(**SIZES | more)).eval()
    with pytest.raises(ConfigError, match="eager"):
        install(model, "off")


def padded(rows):
    ids = torch.full((len(rows), max(map(len, rows))), 0)
    mask = torch.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, len(ids[i]) - len(row) :] = row
        mask[i, len(ids[i]) - len(row) :] = 1
    return ids, mask


def test_padding_is_left_to_transformers(caplog):
    from ragctx.attention.transformers import install

    ids, mask = padded([text(90, seed=1)[0], text(60, seed=2)[0]])
    plain = written(build("llama"), ids, attention_mask=mask)
    model = build("llama")
    attending = install(model, "off")
    with caplog.at_level(logging.WARNING, "ragctx.attention"):
        assert written(model, ids, attention_mask=mask) == plain
    [why] = [why for why in attending.counts.dense if "padding" in why]
    assert attending.counts.dense[why] > 8
    assert sum("padding" in record.message for record in caplog.records) == 1  # told once
    install(model, "off", dual=DUAL)
    ids, mask = padded([text(290, seed=1)[0], text(60, seed=2)[0]])
    with pytest.raises(ConfigError, match="do not go with a mask"):
        written(model, ids, attention_mask=mask)


def test_a_batch_without_padding_is_each_text_alone():
    from ragctx.attention.transformers import install

    model, ids = build("llama"), text(260, rows=2)
    install(model, "off", dual=DUAL)
    assert written(model, ids) == [*written(model, ids[:1]), *written(model, ids[1:])]


def test_windows_and_training_are_left_to_transformers():
    from ragctx.attention.transformers import install

    ids, model = text(100), build("mistral")
    wanted = logits(model, ids, 30)
    attending = install(model, "off")
    assert torch.allclose(logits(model, ids, 30), wanted, atol=1e-5)
    assert any("window" in why for why in attending.counts.dense)
    model = build("llama")
    attending = install(model, "off")
    model.train()
    model(ids, labels=ids).loss.backward()
    assert model.model.layers[0].self_attn.q_proj.weight.grad.abs().sum() > 0
    assert any("training" in why for why in attending.counts.dense)


def test_a_cache_of_fixed_size_is_left_to_transformers():
    from ragctx.attention.transformers import install

    ids, model = text(70), build("llama")
    given = {"cache_implementation": "static", "disable_compile": True}
    wanted = written(model, ids, **given)
    install(model, "off")
    assert written(model, ids, **given) == wanted == written(build("llama"), ids)


def test_a_model_that_was_not_prepared_says_so():
    import ragctx.attention.transformers  # noqa: F401 - registers the name

    model = build("llama")
    model.set_attn_implementation("ragctx")
    with pytest.raises(ConfigError, match="install"):
        logits(model, text(5))


def test_chunks_without_a_policy_are_causal():
    from ragctx.attention.transformers import install

    model, ids = build("llama"), text(150)
    wanted = logits(model, ids)
    install(model, "off")
    for chunk in (0, 1, 40, 64):
        assert torch.allclose(logits(model, ids, chunk), wanted, atol=1e-4)


@dataclass(frozen=True)
class Keeps:
    """A policy by positions alone: the first tile, the own, and every `each`th; dense up to `gate` tokens."""

    each: int = 3
    gate: int = 0
    fingerprint: str = "keeps"

    def rows(self, extent, heads):
        def chosen(request, head, tile):
            return [n for n in range(tile + 1) if n in (0, tile) or (n + head) % self.each == 0]

        return BlockIndex.chosen([extent], heads, chosen)

    def index(self, seen):
        [one] = seen
        assert one.query.shape[0] == one.extent.queries
        assert one.keys.means().shape[1] == one.kv_heads == one.query.shape[1] // one.group
        return self.rows(one.extent, one.kv_heads) if one.extent.keys > self.gate else None


def masked(model, policy):
    """The model with the policy's tiles as a mask over plain attention, by transformers' own sdpa."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    from ragctx.attention import Extent

    def attend(module, query, key, value, mask, **others):
        extent = Extent(query.shape[2], key.shape[2])
        index = policy.rows(extent, key.shape[1])
        seen = torch.zeros(key.shape[1], extent.queries, extent.keys, dtype=torch.bool)
        for head in range(key.shape[1]):
            for tile in range(extent.tiles):
                begin, end = (place - extent.first for place in extent.tile(tile))
                for block in index.row(0, head, tile).tolist():
                    seen[head, begin:end, block * 64 : block * 64 + 64] = True
        seen = (seen.tril(extent.first)).repeat_interleave(query.shape[1] // key.shape[1], 0)[None]
        return sdpa_attention_forward(module, query, key, value, seen, **others)

    transformers.AttentionInterface.register("tiles_by_mask", attend)
    model.set_attn_implementation("tiles_by_mask")
    return model


@pytest.mark.parametrize("kind", ["llama", "llama-64", "qwen2"])
def test_a_policy_in_prefill_and_steps(kind):
    from ragctx.attention.transformers import install

    ids, policy = text(330), Keeps()
    model = masked(build(kind), policy)
    wanted, words = logits(model, ids), written(model, ids)
    model = build(kind)
    assert not torch.allclose(logits(model, ids), wanted, atol=1e-2)  # the policy does leave something out
    attending = install(model, policy, threads=1)
    for chunk in (0, 64, 128):
        assert torch.allclose(logits(model, ids, chunk), wanted, atol=2e-3)
    assert written(model, ids) == words == written(model, ids)
    assert attending.counts.sparse > 0
    assert attending.counts.density < 0.8
    assert attending.fingerprint == "keeps"


@pytest.mark.parametrize("kind", ["llama", "llama-64", "qwen3"])
def test_at_full_budget_the_answer_is_the_models_own(kind):
    from ragctx.attention.transformers import install

    ids, model = text(200, rows=2), build(kind)
    wanted = written(model, ids)
    attending = install(model, Keeps(each=1), threads=1)
    assert written(model, ids) == wanted
    assert attending.counts.own > 0
    assert attending.counts.sparse == 0


def test_what_the_policy_does_not_cover_is_dense():
    from ragctx.attention.transformers import install

    ids, model = text(190), build("llama")
    wanted = logits(model, ids, 64)
    attending = install(model, Keeps(gate=1000))
    assert torch.equal(logits(model, ids, 64), wanted)
    assert attending.counts.dense["the policy does not cover it"] == 2 * 3  # two layers, three chunks
    assert attending.counts.own == attending.counts.sparse == 0


def test_a_policy_and_positions_together():
    from ragctx.attention.transformers import install

    ids, model = text(400), build("llama-64")
    attending = install(model, Keeps(each=1), dual=DUAL, threads=1)
    everything = logits(model, ids)
    assert attending.counts.own == 2
    alone = build("llama-64")
    install(alone, "off", dual=DUAL, threads=1)
    assert torch.allclose(everything, logits(alone, ids), atol=1e-4)
    attending = install(model, Keeps(), dual=DUAL, threads=1)
    assert attending.fingerprint == "keeps:dual(192,64,0)"
    few = logits(model, ids)
    assert attending.counts.sparse == 2
    assert not torch.allclose(few, everything, atol=1e-2)
    assert torch.allclose(logits(model, ids, 128), few, atol=2e-3)
