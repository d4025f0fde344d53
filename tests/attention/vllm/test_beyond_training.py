"""Stretched positions inside vLLM, against the local reader that stretches them in transformers; and bfloat16."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.vllm, pytest.mark.slow]


@pytest.fixture(scope="module")
def short(make_checkpoint):
    return make_checkpoint(max_position_embeddings=1024)


@pytest.mark.parametrize("positions", ["dual:4", "sharp-dual:4", "yarn:4"])
def test_it_writes_beyond_training_what_the_local_reader_writes(short, opened, ask, prompt, positions):
    from ragctx.readers import open_model

    reader = opened(short, window=4096, sparse="off", positions=positions, dtype="float32", chunk=500)
    local = open_model(f"local:{short}", positions=positions)
    asked = [ask(prompt(2400)), ask(prompt(100)), ask(prompt(1300))]
    mine, its = (backend.serve(asked, lambda i, text: None) for backend in (reader, local))
    for own, other in zip(mine, its, strict=True):
        assert own.text == other.text
        assert own.logprobs == pytest.approx(other.logprobs, abs=2e-2)
    assert reader.facts.window == local.facts.window == 4096
    if "dual" in positions:
        assert reader.counts.own > 0, "decoding and prompts beyond a chunk are ours"
    reader.close()


def test_dual_chunks_and_a_policy_go_together(short, opened, ask, prompt):
    policy = {"rule": "streaming", "gate": 256, "sinks": 64, "local": 128, "dense_layers": 1}
    reader = opened(short, window=4096, sparse=policy, positions="dual:4", dtype="float32", chunk=512)
    [reply] = reader.serve([ask(prompt(2400))], lambda i, text: None)
    assert reply.output_tokens == 12
    assert reader.counts.sparse > 0
    assert reader.counts.density < 0.8
    reader.close()


def test_in_bfloat16_our_dense_attention_is_vllms_too(checkpoint, opened):
    from ragctx.work import Score

    reader = opened(checkpoint, sparse="off", dtype="bfloat16", chunk=512, clock=True)
    asked = Score("the notice period is three months and " * 60, "the rent is due on the first day", whole=True)
    [stock] = reader.serve([asked], lambda i, text: None)
    assert reader.counts.seconds["stock"] > 0
    reader.attend("off", "own")
    [own] = reader.serve([asked], lambda i, text: None)
    assert reader.counts.own > 0
    differences = [abs(one - other) for one, other in zip(own.before, stock.before, strict=True)]
    assert sum(differences) / len(differences) < 0.02
    assert max(differences) < 0.3
    reader.close()


def test_the_first_question_is_counted_alone_and_its_kept_mass_measured(short, opened, ask, prompt):
    policy = {"rule": "streaming", "gate": 64, "sinks": 64, "local": 64, "dense_layers": 1}
    reader = opened(short, window=1024, sparse=policy, dtype="float32", chunk=512, measure=2)
    reader.serve([ask(prompt(700), max_tokens=1)], lambda i, text: None)
    counts = reader.counts
    steps = sum(counts.dense.values()) + counts.sparse + counts.own
    assert steps == 3 * 2, "two chunks in three layers"
    assert set(counts.masses.figures()) == {1, 2}
    assert 0 < counts.masses.all.mean < 1
    reader.close()
