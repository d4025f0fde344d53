"""The local reader's own attention: texts longer than the training, policies, and what they must not mix."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

pytest.importorskip("torch")

import torch

from ragctx.attention import BlockIndex
from ragctx.errors import ConfigError
from ragctx.readers import open_model
from ragctx.readers.local_attention import LocalAttention
from ragctx.work import Generate, Message, Sampling, Score

WORDS = ["the", "notice", "period", "is", "three", "months", "rent", "due", "on", "first", "day", "keys", "tenant"]


def words(n, seed):
    chooser = random.Random(seed)
    return " ".join(chooser.choice(WORDS) for _ in range(n))


def request(text, tokens=12):
    return Generate((Message("user", text),), sampling=Sampling(max_tokens=tokens, ignore_end=True))


def texts(reader, asked):
    return [reply.text for reply in reader.serve(asked, lambda i, text: None)]


@pytest.fixture(scope="module")
def small(checkpoint, tmp_path_factory):
    """The checkpoint as one that was trained to 512 tokens: a dual chunk of 320."""
    import json
    import shutil

    folder = tmp_path_factory.mktemp("small") / "tiny"
    shutil.copytree(checkpoint, folder)
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 512}), "utf-8")
    return folder


@pytest.fixture(scope="module")
def stretched(small):
    """What transformers writes with the same dual chunk positions, each prompt alone and in one pass."""
    from transformers import AutoModelForCausalLM

    from ragctx.attention.positions import DualChunk
    from ragctx.attention.transformers import install

    model = AutoModelForCausalLM.from_pretrained(small, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = None
    install(model, "off", dual=DualChunk.trained_to(512))

    def generate(prompt, tokens=12):
        ids = torch.as_tensor(prompt.astype("int64"))[None]
        with torch.inference_mode():
            made = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False)
        return made[0, ids.shape[1] :].tolist()

    generate.model = model
    return generate


def test_a_text_beyond_the_window_is_read_with_dual_positions(small, stretched):
    with pytest.raises(ConfigError, match="dual:4"):
        open_model(f"local:{small}", positions="dual")
    reader = open_model(f"local:{small}", positions="dual:4", chunk=100)
    assert reader.facts.window == 2048
    document = words(400, 1)
    asked = [request(f"{document} {question}") for question in ("why", "and when is the rent due")]
    replies = reader.serve(asked, lambda i, text: None)
    for ask, reply in zip(asked, replies, strict=True):
        prompt = reader.facts.counter.encode(ask.messages)
        assert len(prompt) > 512
        assert reply.text == reader.facts.counter.decode(stretched(prompt))
    assert replies[0].cached_tokens == 0
    assert replies[1].cached_tokens % 64 == 0
    assert replies[1].cached_tokens > 320
    again = reader.serve(asked, lambda i, text: None)
    assert [reply.text for reply in again] == [reply.text for reply in replies]
    assert all(reply.cached_tokens > 320 for reply in again)


def test_scores_beyond_the_window(small, stretched):
    reader = open_model(f"local:{small}", positions="dual:4")
    prefix, target = words(300, 2), " three months"
    [reply] = reader.serve([Score(prefix, target)], lambda i, text: None)
    before, _ = reader.facts.counter.pieces(prefix)
    assert len(before) > 320
    ids = torch.as_tensor([*before, *reply.tokens])[None]
    with torch.inference_mode():
        rows = stretched.model(ids).logits[0, len(before) - 1 : -1].log_softmax(-1)
    expected = rows.gather(-1, torch.as_tensor(reply.tokens)[:, None])[:, 0].tolist()
    assert reply.logprobs == pytest.approx(expected, abs=1e-3)


def test_yarn_is_that_of_transformers(small):
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(small)
    config.rope_parameters |= {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512}
    model = AutoModelForCausalLM.from_pretrained(small, config=config, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = None
    reader = open_model(f"local:{small}", positions="yarn:4")
    assert reader.facts.window == 2048
    ask = request(words(400, 3))
    ids = torch.as_tensor(reader.facts.counter.encode(ask.messages).astype("int64"))[None]
    with torch.inference_mode():
        made = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False)
    assert texts(reader, [ask]) == [reader.facts.counter.decode(made[0, ids.shape[1] :].tolist())]


def test_every_attention_is_another_model(small):
    options = [{}, {"positions": "dual:4"}, {"positions": "sharp-dual:4"}, {"positions": "yarn:4"}, {"loops": True}]
    readers = [open_model(f"local:{small}", **given) for given in options]
    assert len({reader.facts.identity for reader in readers}) == len(options)
    assert readers[0].facts.identity == open_model(f"local:{small}", sparse="off").facts.identity
    assert readers[0].facts.window == 512
    assert open_model(f"local:{small}", positions="dual:4", window=700).facts.window == 700


@pytest.mark.parametrize("positions", ["dual", "dual:1", "dual:x", "ntk:4", "dual:-2"])
def test_positions_that_are_none(positions):
    with pytest.raises(ConfigError, match="write dual:4"):
        LocalAttention.of("off", positions, 8192)


def test_positions_need_a_window():
    with pytest.raises(ConfigError, match="does not tell its window"):
        LocalAttention.of("off", "dual:4", None)


@dataclass(frozen=True)
class Keeps:
    """A policy by positions alone: the first tile, the own, and every `each`th, of texts above `gate` tokens."""

    each: int = 3
    gate: int = 100

    @property
    def fingerprint(self):
        return f"keeps({self.each},{self.gate})"

    def index(self, seen):
        [one] = seen
        if one.extent.keys <= self.gate:
            return None

        def chosen(request, head, tile):
            return [n for n in range(tile + 1) if n in (0, tile) or n % self.each == 0]

        return BlockIndex.chosen([one.extent], one.kv_heads, chosen)


def test_at_full_budget_the_answers_are_the_same(checkpoint):
    document = words(300, 4)
    asked = [request(f"{document} {question}") for question in ("why", "when is the rent due")] + [request("keys")]
    plainly = open_model(f"local:{checkpoint}")
    reader = open_model(f"local:{checkpoint}", sparse=Keeps(each=1), chunk=100)
    assert reader.facts.identity != plainly.facts.identity
    assert texts(reader, asked) == texts(plainly, asked)
    assert reader._model.attending.counts.own > 0
    assert reader._model.attending.counts.dense["the policy does not cover it"] > 0  # the short one


def test_a_policy_answers_alike_with_and_without_what_is_kept(checkpoint):
    document = words(400, 5)
    asked = [request(f"{document} {question}") for question in ("why", "when is the rent due", "and the keys")]
    fresh = [texts(open_model(f"local:{checkpoint}", sparse=Keeps()), [ask])[0] for ask in asked]
    reader = open_model(f"local:{checkpoint}", sparse=Keeps(), chunk=128)
    replies = reader.serve(asked, lambda i, text: None)
    assert [reply.text for reply in replies] == fresh
    assert sum(reply.cached_tokens > 300 for reply in replies) == 2
    assert texts(reader, asked[::-1]) == fresh[::-1]
    assert reader._model.attending.counts.density < 0.9
    assert fresh != texts(open_model(f"local:{checkpoint}"), asked)
    prefix = document[:900]
    scores = [
        one.serve([Score(prefix, " three months")], lambda i, text: None)[0].logprobs
        for one in (reader, open_model(f"local:{checkpoint}", sparse=Keeps(), share=False))
    ]
    assert scores[0] == pytest.approx(scores[1], abs=1e-3)


def test_a_prompt_whose_last_chunk_is_one_token_is_no_step(checkpoint):
    policy = {
        "rule": "streaming", "gate": 128, "sinks": 64, "local": 64, "dense_layers": 0,
        "decode": {"rule": "streaming", "sinks": 0, "local": 0},
    }  # fmt: skip
    reader = open_model(f"local:{checkpoint}", sparse=policy, chunk=256)
    several = (request(words(count, 6), tokens=1) for count in range(200, 500))
    asked = next(one for one in several if reader.facts.counter.render(one.messages) % 256 == 1)
    [reply] = reader.serve([asked], lambda i, text: None)
    chunks = reply.prompt_tokens // 256
    assert reader.counts.sparse + reader.counts.own == 3 * chunks, "whole chunks, in each layer"
    assert reader.counts.dense == {"the policy does not cover it": 3}


def test_policies_are_other_models(checkpoint):
    options = [{}, {"sparse": Keeps()}, {"sparse": Keeps(each=4)}, {"sparse": Keeps(), "positions": "dual:2"}]
    readers = [open_model(f"local:{checkpoint}", **given) for given in options]
    assert len({reader.facts.identity for reader in readers}) == len(options)


def test_long_prompts_are_read_by_our_kernel_and_say_the_same(checkpoint):
    from ragctx.attention.kernels import choice

    asked = [request(words(300, 7)), request("when is the rent due")]
    plain = open_model(f"local:{checkpoint}", dense="torch")
    own = open_model(f"local:{checkpoint}", dense="own")
    assert texts(own, asked) == texts(plain, asked)
    assert own.facts.identity == plain.facts.identity, "another kernel, not another answer"
    assert plain._model.attending is None
    counts = own._model.attending.counts
    width = own._model._model.config.get_text_config().head_dim
    compiled = not choice.kernel(width, torch.float32).why
    assert bool(counts.own) == compiled, "whole tiles of queries are ours where a kernel is compiled"
    assert counts.sparse == 0


def test_half_precision_reads_by_our_kernel_unless_told_otherwise(checkpoint):
    opened = {dense: open_model(f"local:{checkpoint}", dtype="bfloat16", dense=dense) for dense in ("auto", "torch")}
    for reader in opened.values():
        texts(reader, [request(words(200, 3), tokens=2)])
    assert opened["auto"]._model.attending.own
    assert opened["torch"]._model.attending is None
    single = open_model(f"local:{checkpoint}")
    texts(single, [request("why", tokens=1)])
    assert single._model.attending is None, "single precision stays torch's"


def test_whose_kernel_is_one_of_three(checkpoint):
    with pytest.raises(ConfigError, match="dense attention is auto or torch or own, not 'cuda'"):
        open_model(f"local:{checkpoint}", dense="cuda")


def test_a_reader_counts_what_its_policy_did(checkpoint):
    asked = [request(words(600, 6))]
    settings = {"rule": "streaming", "gate": 128, "sinks": 64, "local": 64, "dense_layers": 1}
    told = []
    for reader in [open_model(f"local:{checkpoint}", sparse=settings, measure=2, chunk=size) for size in (4096, 256)]:
        assert (reader.counts.sparse, reader.counts.density, reader.counts.masses) == (0, 1.0, None)
        reader.serve(asked, lambda i, text: None)
        told.append(reader.counts)
        reader.close()
        assert reader.counts.sparse == 0
    whole, cut = told
    assert set(whole.masses.layers) == {1, 2}  # the first layer is dense
    assert whole.sparse == 2
    assert whole.density < cut.density < 1  # the last rows of every chunk see everything
    assert whole.masses.all.rows == cut.masses.all.rows > 0  # the same queries, however the prompt was cut
    assert 0.2 < whole.masses.all.mean < cut.masses.all.mean < 1


def test_the_first_question_is_counted_like_any_other(checkpoint):
    speeds = []
    for _ in range(2):  # the first one may have to measure its speed
        reader = open_model(f"local:{checkpoint}", sparse=Keeps(gate=1))
        reader.serve([request("keys", tokens=1)], lambda i, text: None)
        speeds.append(reader.counts.possible)
    assert speeds[0] == speeds[1] > 0


@pytest.mark.parametrize("measure", [-1, True, 1.5, "16"])
def test_a_measure_that_is_none(measure):
    with pytest.raises(ConfigError, match="number of tiles from 1"):
        LocalAttention.of("auto", "", 8192, measure=measure)
