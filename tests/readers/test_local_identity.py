"""Whatever is shared or batched, the tokens are those that transformers' `generate` writes for each prompt alone."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("torch")

from ragctx.readers import open_model
from ragctx.readers.prefix import groups
from ragctx.work import Generate, Message, Sampling

WORDS = [
    "the",
    "notice",
    "period",
    "is",
    "three",
    "months",
    "rent",
    "due",
    "on",
    "first",
    "day",
    "and",
    "keys",
    "pets",
    "garden",
    "tenant",
    "landlord",
]


def words(n: int, seed: int) -> str:
    chooser = random.Random(seed)
    return " ".join(chooser.choice(WORDS) for _ in range(n))


def request(text: str, tokens: int = 12) -> Generate:
    return Generate((Message("user", text),), sampling=Sampling(max_tokens=tokens, ignore_end=True))


def tokens_of(reader, requests):
    """The very token ids, seen through the counter's decoder."""
    written = {}
    real = reader._write

    def spy(members, shared):
        for i, member in members.items():
            take = member.stream.push
            written[i] = []

            def push(token, i=i, take=take):
                written[i].append(token)
                return take(token)

            member.stream.push = push
        return real(members, shared)

    reader._write = spy
    replies = reader.serve(requests, lambda i, text: None)
    reader._write = real
    return [written[i] for i in range(len(requests))], replies


def check(reader, requests, plain):
    got, replies = tokens_of(reader, requests)
    for ids, ask in zip(got, requests, strict=True):
        prompt = reader.facts.counter.encode(ask.messages)
        assert ids == plain(prompt, ask.sampling.max_tokens)
    return replies


def test_one_prompt(checkpoint, plain):
    check(open_model(f"local:{checkpoint}"), [request("is the rent due")], plain)


@pytest.mark.parametrize("chunk", [16, 50, 1024])
def test_prefill_in_chunks(checkpoint, plain, chunk):
    check(open_model(f"local:{checkpoint}", chunk=chunk), [request(words(120, 1))], plain)


@pytest.mark.parametrize("chunk", [40, 1024])
def test_a_shared_document_is_computed_once(checkpoint, plain, chunk):
    document = words(200, 2)
    asked = [request(f"{document}\n\nQuestion: {words(3 + 2 * i, i)}", 4 + 3 * i) for i in range(6)]
    reader = open_model(f"local:{checkpoint}", chunk=chunk)
    replies = check(reader, asked, plain)
    assert sum(reply.cached_tokens == 0 for reply in replies) == 1
    assert all(reply.cached_tokens >= reply.prompt_tokens - 60 for reply in replies if reply.cached_tokens)


def test_unlike_prompts_of_mixed_lengths(checkpoint, plain):
    asked = [request(words(n, n), 3 + n % 7) for n in (1, 250, 33, 150, 2, 90)]
    check(open_model(f"local:{checkpoint}"), asked, plain)


def test_two_documents_in_one_list(checkpoint, plain):
    asked = [request(f"{words(150, d)}\n\nQuestion: {words(4, q)}") for q in range(3) for d in (7, 8)]
    check(open_model(f"local:{checkpoint}"), asked, plain)


def test_the_next_list_finds_the_document_again(checkpoint, plain):
    document = words(300, 3)
    reader = open_model(f"local:{checkpoint}")
    check(reader, [request(f"{document} Question: {words(4, q)}") for q in range(3)], plain)
    again = check(reader, [request(f"{document} Question: {words(5, q)}") for q in range(9, 12)], plain)
    assert all(reply.cached_tokens > 200 for reply in again)
    alone = check(reader, [request(f"{document} Question: why")], plain)
    assert alone[0].cached_tokens > 200


def test_what_was_forgotten_is_read_again(checkpoint, plain):
    document = words(300, 3)
    reader = open_model(f"local:{checkpoint}")
    check(reader, [request(f"{document} Question: why")], plain)
    reader.forget()
    [again] = check(reader, [request(f"{document} Question: when")], plain)
    assert again.cached_tokens == 0


def test_nothing_is_reused_when_sharing_is_off(checkpoint, plain):
    document = words(200, 4)
    reader = open_model(f"local:{checkpoint}", share=False)
    replies = check(reader, [request(f"{document} {q}") for q in ("why", "when")] * 2, plain)
    assert [reply.cached_tokens for reply in replies] == [0] * 4


def test_groups_cover_every_prompt_once(checkpoint):
    reader = open_model(f"local:{checkpoint}")
    texts = [f"{words(150, i % 3)} {words(i, i)}" for i in range(20)]
    prompts = [reader.facts.counter.encode((Message("user", text),)) for text in texts]
    made = groups(prompts, most=4, room=[8] * 20, tokens=2000)
    assert sorted(i for group in made for i in group.members) == list(range(20))
    assert max(len(group.members) for group in made) <= 4
    assert any(group.prefix for group in made)
