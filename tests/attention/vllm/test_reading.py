"""The vllm reader's contract on the tiny checkpoint: stopping, streaming, sampling, limits, and scores as local's."""

from __future__ import annotations

import pytest

from ragctx.work import Embed, Failure, Generate, Message, Sampling, Score

pytestmark = [pytest.mark.vllm, pytest.mark.slow]


def request(text="is the rent due on the first day", **sampling):
    return Generate((Message("user", text),), sampling=Sampling(**({"max_tokens": 24} | sampling)))


def one(reader, ask):
    pieces = []
    [reply] = reader.serve([ask], lambda i, text: pieces.append(text))
    return reply, pieces


@pytest.fixture(scope="module")
def local(checkpoint):
    from ragctx.readers import open_model

    return open_model(f"local:{checkpoint}")


def test_the_pieces_are_the_text_and_reach_their_own_request(reader):
    told = {0: "", 1: "", 2: ""}

    def emit(i, text):
        told[i] += text

    replies = reader.serve([request(text, ignore_end=True) for text in ("a", "b c", "keys and pets")], emit)
    assert [told[i] for i in range(3)] == [reply.text for reply in replies]
    assert [reply.output_tokens for reply in replies] == [24] * 3
    assert {reply.finish for reply in replies} == {"length"}


def test_it_writes_what_the_local_reader_writes(reader, local):
    asked = [request(text, ignore_end=True, logprobs=True) for text in ("is the rent due", "the notice period " * 30)]
    mine, its = (backend.serve(asked, lambda i, text: None) for backend in (reader, local))
    for own, other in zip(mine, its, strict=True):
        assert own.text == other.text
        assert own.prompt_tokens == other.prompt_tokens
        assert own.logprobs == pytest.approx(other.logprobs, abs=2e-3)


def test_a_stop_string_ends_the_text_before_it(reader):
    whole, _ = one(reader, request(ignore_end=True))
    stop = whole.text[6:9]
    reply, pieces = one(reader, request(stop=(stop,)))
    assert reply.text == whole.text[: whole.text.index(stop)] == "".join(pieces)
    assert reply.finish == "stop"
    assert reply.output_tokens < 24


def test_a_text_that_is_stopped_leaves_the_engine_free(reader):
    whole, _ = one(reader, request(ignore_end=True))
    reader.serve([request(stop=(whole.text[2:4],)), request("another", ignore_end=True)], lambda i, text: None)
    assert not reader._engine._engine.has_unfinished_requests()


def test_samples_depend_on_their_seed_alone(reader):
    hot = {"temperature": 1.0, "ignore_end": True, "top_p": 0.9}
    first = one(reader, request(**hot, seed=1))[0].text
    assert one(reader, request(**hot, seed=1))[0].text == first
    assert one(reader, request(**hot, seed=1, sample=1))[0].text != first
    assert one(reader, request(**hot, seed=2))[0].text != first
    among = reader.serve([request("other"), request(**hot, seed=1), request("more")], lambda i, text: None)
    assert among[1].text == first


def test_scores_are_the_local_readers(reader, local):
    prefix = "the notice period is three months and " * 20
    asked = [
        Score(prefix, "the rent is due"), Score(prefix, "on the first day"), Score("a", "keys", whole=True),
        Score(prefix, "the city", whole=True), Score("", "keys and pets"), Score("a", ""), Score((5, 9, 7), (8, 30)),
    ]  # fmt: skip
    mine, its = (backend.serve(asked, lambda i, text: None) for backend in (reader, local))
    for own, other in zip(mine, its, strict=True):
        assert own.tokens == other.tokens
        assert own.offsets == other.offsets
        assert own.prompt_tokens == other.prompt_tokens
        assert own.logprobs == pytest.approx(other.logprobs, abs=2e-3)
        assert own.before == pytest.approx(other.before, abs=2e-3)


def test_scores_after_a_kept_prefix_and_of_a_text_scored_before_are_the_same(reader):
    asked = Score("rent is due " * 150, " on the first day")
    first, again = (reader.serve([asked], lambda i, text: None)[0] for _ in range(2))
    long = Score("rent is due " * 150, " on the first day" + " of each month" * 60)
    new, same = (reader.serve([long], lambda i, text: None)[0] for _ in range(2))
    assert again.logprobs == pytest.approx(first.logprobs, abs=1e-4)
    assert new.logprobs[:4] == pytest.approx(first.logprobs[:4], abs=1e-4)
    assert same.logprobs == pytest.approx(new.logprobs, abs=1e-4)


def test_scores_and_answers_in_one_batch_keep_their_slots(reader):
    score, reply, other = reader.serve([Score("a", "keys"), request(ignore_end=True), Embed(("x",))], lambda i, t: None)
    assert len(score.logprobs) == len(score.tokens) > 0
    assert reply.output_tokens == 24
    assert other.kind == "bad_request"


def test_what_does_not_fit_fails_in_its_own_slot(reader):
    good, long, strange = reader.serve(
        [request(ignore_end=True), request("the rent " * 4000), Score((5,), (10**6,))], lambda i, text: None
    )
    assert good.output_tokens == 24
    assert isinstance(long, Failure)
    assert long.kind == "too_long"
    assert "4,000" in long.message
    assert strange.kind == "bad_request"


def test_a_window_is_usable_to_its_last_token(reader):
    asked = request("the rent " * 1000, ignore_end=True)
    room = reader.facts.window - reader.facts.counter.render(asked.messages)
    assert room > 0
    reply, _ = one(reader, request("the rent " * 1000, ignore_end=True, max_tokens=min(room, 8)))
    assert reply.output_tokens == min(room, 8)


def test_facts_tell_policy_speed_and_kinds(reader):
    facts = reader.facts
    assert facts.speed.prompt > 0
    assert facts.kinds == {"Generate", "Score"}
    before = facts.identity
    reader.attend("auto")
    assert reader.facts.identity != before


@pytest.mark.parametrize("form", ["fast", "iterative"])
def test_longllmlingua_keeps_the_same_words_with_it_as_with_the_local_reader(reader, local, form):
    from ragctx.compressors.longllmlingua import LongLLMLingua
    from ragctx.models import Models
    from ragctx.types import Context, Passage, Question, Span
    from ragctx.work import run

    texts = {
        "rent": "the rent of the wharf is due on the first day of each month " * 5,
        "pets": "dogs are in the city and the keys were never mentioned by anybody " * 5,
        "notice": "the notice period is three months and not a day more than that " * 5,
    }
    context = Context(tuple(Passage(text, (Span(name, 0, len(text)),), name) for name, text in texts.items()))
    kept = []
    for scorer in (reader, local):
        models = Models({"reader": scorer.facts, "scorer": scorer.facts})
        work = LongLLMLingua(form).compress(Question("when is the rent due"), context, 120, models)
        kept.append(run(work, lambda requests, scorer=scorer: scorer.serve(requests, lambda i, text: None)))
    assert [passage.text for passage in kept[0].passages] == [passage.text for passage in kept[1].passages]
    assert 0 < sum(len(passage.text) for passage in kept[0].passages) < sum(map(len, texts.values()))
