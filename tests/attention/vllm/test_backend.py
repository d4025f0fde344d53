"""The backend inside a real engine: its numbers, its batches and chunks, what it keeps and what it leaves."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

STREAMING = {"rule": "streaming", "gate": 256, "sinks": 64, "local": 128, "dense_layers": 1}


@pytest.fixture
def exactly(monkeypatch):
    """Every call of the kernel inside the engine is repeated by the oracle in float64; tells the extents it saw."""
    from ragctx.attention import reference
    from ragctx.attention.vllm import cpu

    seen = []
    real = cpu.kernel.attend

    def attend(query, held, index, *, output, **more):
        found = real(query, held, index, output=output, **more)
        rows = [[held.of(r, h, e.keys) for h in range(index.heads)] for r, e in enumerate(index.extents)]
        keys, values = ([_stacked(heads, part) for heads in rows] for part in (0, 1))
        wanted = reference.attend(query, keys, values, index, scale=more["scale"])
        assert (output.double() - wanted.output).abs().max() < 1e-4
        assert (found.lse - wanted.lse).abs().max() < 1e-4
        seen.append(index.extents)
        return found

    monkeypatch.setattr(cpu.kernel, "attend", attend)
    return seen


def _stacked(heads, part):
    import torch

    return torch.stack([head[part] for head in heads], 1)


def _same(first, second, within=2e-3):
    for one, other in zip(first, second, strict=True):
        assert one.text == other.text
        assert one.logprobs == pytest.approx(other.logprobs, abs=within)


def test_every_layer_is_ours_and_the_kernel_takes_it(reader):
    from ragctx.attention.vllm import check

    [layers] = reader._engine._llm.apply_model(check.layers)
    assert len(layers) == 3
    assert [layer.refused for layer in layers] == [""] * 3


def test_to_load_the_plug_in_again_changes_nothing(reader, answer, ask, prompt):
    from vllm.v1.attention.backends.registry import AttentionBackendEnum

    from ragctx.attention.vllm.plugin import BACKENDS, register

    before = answer(ask(prompt(200)))
    register()
    register()
    assert AttentionBackendEnum.CPU_ATTN.get_path() == BACKENDS["CPU_ATTN"]
    _same(answer(ask(prompt(200))), before)


def test_our_dense_attention_is_vllms(reader, answer, ask, prompt):
    asked = [ask(prompt(n)) for n in (40, 300, 1100)]
    stock = answer(*asked)
    assert set(reader.counts.dense) == {"no policy"}
    reader.attend("off", "own")
    _same(answer(*asked), stock)
    assert reader.counts.own > 0
    assert not reader.counts.dense


def test_a_policy_that_keeps_everything_is_dense_attention(reader, answer, ask, prompt):
    asked = [ask(prompt(n)) for n in (300, 1100)]
    stock = answer(*asked)
    reader.attend(STREAMING | {"local": 100_000})
    _same(answer(*asked), stock)
    assert reader.counts.sparse == 0


def test_a_sparse_policy_leaves_tiles_out_and_computes_the_rest_right(reader, answer, ask, prompt, exactly):
    reader.attend(STREAMING)
    [reply] = answer(ask(prompt(1500)))
    counts = reader.counts
    assert reply.output_tokens == 12
    assert counts.sparse > 0
    assert counts.density < 0.8
    assert exactly


def test_auto_is_dense_where_the_text_is_short(reader, answer, ask):
    reader.attend("auto")
    answer(ask("is the rent due"))
    assert reader.counts.sparse == 0
    assert sum(reader.counts.dense.values()) > 0


@pytest.mark.parametrize("tokens", [64, 150, 256, 1000])
def test_chunks_of_any_size_answer_alike(reader, answer, ask, prompt, chunked, exactly, tokens):
    asked = ask(prompt(900))
    stock = answer(asked)
    reader.attend("off", "own")
    chunked(tokens)
    _same(answer(asked), stock)
    assert max(extent.queries for [extent] in exactly) <= tokens


def test_whole_tiles_choose_alike_however_a_prompt_was_cut(reader, answer, ask, prompt, chunked):
    rows = {}
    for tokens in (512, 192):
        reader.attend(STREAMING)
        reader._engine._engine.reset_prefix_cache()  # or the second run would compute its last chunk alone
        chunked(tokens)
        rows[tokens] = _rows(reader, lambda: answer(ask(prompt(900))))
    whole, cut = rows[512], rows[192]
    assert whole.keys() & cut.keys()
    later = [key for key in whole.keys() & cut.keys() if whole[key] != cut[key]]
    for key in later:  # a border adds, it never takes away
        assert whole[key] <= cut[key] or cut[key] <= whole[key]


def _rows(reader, run):
    """Of every row that was computed: (layer call, head, tile) -> key tiles, for prompts alone."""
    from ragctx.attention.vllm import cpu

    found, real, calls = {}, cpu.kernel.attend, 0

    def attend(query, held, index, **more):
        nonlocal calls
        [extent] = index.extents
        for head in range(index.heads):
            for tile in range(extent.tiles):
                if extent.queries > 1:
                    key = (calls % 2, head, extent.base + tile)
                    found[key] = found.get(key, frozenset()) | frozenset(index.row(0, head, tile).tolist())
        calls += 1
        return real(query, held, index, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu.kernel, "attend", attend)
        run()
    return found


def test_mixed_batches_answer_as_each_request_alone(reader, answer, ask, prompt, chunked, exactly):
    asked = [ask(prompt(60, "one")), ask(prompt(700, "two"), max_tokens=4), ask(prompt(300, "three"))]
    alone = [reply for one in asked for reply in answer(one)]
    reader._engine._engine.reset_prefix_cache()
    reader.attend("off", "own")
    chunked(256)
    _same(answer(*asked), alone)
    mixed = [step for step in exactly if {1} < {min(extent.queries, 2) for extent in step} | {1}]
    assert any(len(step) > 1 for step in mixed), "no step held decoding rows beside a chunk"


def test_sparse_mixed_batches_are_right_too(reader, answer, ask, prompt, chunked, exactly):
    reader.attend(STREAMING)
    chunked(256)
    replies = answer(ask(prompt(60, "one"), max_tokens=30), ask(prompt(1200, "two")), ask(prompt(600, "three")))
    assert all(reply.output_tokens for reply in replies)
    assert any(len(step) > 1 for step in exactly)
    assert reader.counts.sparse > 0


def test_bounds_of_tiles_are_kept_between_steps_and_never_old(reader, answer, ask, prompt, monkeypatch):
    from ragctx.attention.selection import summaries
    from ragctx.attention.selection.evidence import PagedKeys, bounds

    real, tiles, read = PagedKeys.bounds, [], []
    bounded = summaries._tiles

    def checked(keys):
        found = real(keys)
        fresh = bounds(keys.rows(0, keys._count()), 64)
        assert all((one == other).all() for one, other in zip(found, fresh, strict=True))
        read.append(len(fresh[0]))
        return found

    monkeypatch.setattr(PagedKeys, "bounds", checked)
    monkeypatch.setattr(summaries, "_tiles", lambda *given: tiles.append(len(given[1])) or bounded(*given))
    reader.attend(STREAMING | {"decode": {"rule": "quest", "budget": 128}})
    answer(ask(prompt(700, "one"), max_tokens=80), ask(prompt(900, "two"), max_tokens=80))
    reader._engine._engine.reset_prefix_cache()  # other texts in the same pages
    answer(ask(prompt(800, "three"), max_tokens=20))
    assert reader.counts.sparse > 0
    assert sum(tiles) < sum(read) / 3


def test_a_kept_beginning_is_reused_and_answers_alike(reader, answer, ask, prompt, exactly):
    reader.attend("off", "own")
    long = prompt(800, "")
    [first] = answer(ask(long + "is the rent due"))
    [again] = answer(ask(long + "is the rent due"))
    [other] = answer(ask(long + "when"))
    assert first.cached_tokens == 0
    assert again.cached_tokens >= 512
    assert other.cached_tokens >= 512
    _same([again], [first])
    assert any(extent.first and extent.queries > 1 for step in exactly for extent in step)


def test_prompts_that_begin_alike_share_within_a_batch(reader, answer, ask, prompt):
    long = prompt(800, "")
    replies = answer(*[ask(long + question) for question in ("is the rent due", "when", "where")])
    assert sorted(reply.cached_tokens > 0 for reply in replies) == [False, True, True]


def test_another_policy_reuses_nothing(reader, answer, ask, prompt):
    asked = ask(prompt(800))
    answer(asked)
    assert answer(asked)[0].cached_tokens > 0
    reader.attend(STREAMING)
    assert answer(asked)[0].cached_tokens == 0
    reader.attend(STREAMING | {"local": 192})
    assert answer(asked)[0].cached_tokens == 0
    reader.attend("off")
    assert answer(asked)[0].cached_tokens > 0


def test_a_layer_that_is_refused_attends_densely_and_says_so(reader, answer, ask, prompt):
    from ragctx.attention.vllm import check

    asked = ask(prompt(600))
    stock = answer(asked)
    [layers] = reader._engine._llm.apply_model(check.layers)
    reader.attend("off", "own")
    layers[1].refused = "a sliding window"
    try:
        _same(answer(asked), stock)
        assert set(reader.counts.dense) == {"a sliding window"}
        assert reader.counts.own == 2 * reader.counts.dense["a sliding window"]
    finally:
        layers[1].refused = ""


def test_the_clock_tells_selection_kernel_and_stock_apart(reader, answer, ask, prompt):
    from dataclasses import replace

    engine = reader._engine
    reader.attend(STREAMING)
    engine.switch(replace(reader.options, clock=True))
    answer(ask(prompt(1000)), ask("short"))
    assert set(reader.counts.seconds) >= {"selection", "own"}
    assert min(reader.counts.seconds.values()) > 0
