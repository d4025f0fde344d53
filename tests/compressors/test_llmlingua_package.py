"""The package's compressor behind our contract, on prompts of many segments, with a tiny model made here."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragctx.compressors.llmlingua_package import LLMLinguaPackage
from ragctx.errors import ConfigError
from ragctx.models import ModelFacts, Models
from ragctx.readers.script import WordCounter
from ragctx.types import Context, Document, Passage, Question, Span
from ragctx.work import run

MODELS = Models({"reader": ModelFacts("reader", WordCounter())})
ASKED = Question("When is the rent due?")


def context(count: int = 12, words: int = 60) -> Context:
    texts = [" ".join(f"rent {n * words + w} is due" for w in range(words // 4)) + "." for n in range(count)]
    return Context(tuple(Passage(text, (Span(f"d{n}", 0, len(text)),), f"d{n}") for n, text in enumerate(texts)))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("llmlingua")
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=320, special_tokens=["<|end|>"], initial_alphabet=alphabet)
    tokenizer.train_from_iterator(["the rent is due on the first day of the month"] * 4, trainer)
    folder = tmp_path_factory.mktemp("tiny")
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>")
    fast.save_pretrained(folder)
    torch.manual_seed(3)
    config = transformers.LlamaConfig(
        vocab_size=len(fast), hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1024, eos_token_id=0, initializer_range=0.3,
    )  # fmt: skip
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("method", ["longllmlingua", "llmlingua"])
@pytest.mark.parametrize("count", [1, 12, 60])
def test_long_prompts_are_compressed_with_places(checkpoint: Path, method: str, count: int) -> None:
    given, counter = context(count), MODELS.reader.counter
    budget = counter.count("\n\n".join(p.text for p in given.passages)) // 3
    found = run(LLMLinguaPackage(str(checkpoint), method=method).compress(ASKED, given, budget, MODELS))
    assert 0 < counter.count("\n\n".join(passage.text for passage in found.passages)) <= budget
    texts = {passage.source: passage.text for passage in given.passages}
    for passage in found.passages:
        document = Document(passage.source, texts[passage.source])
        assert Passage.cut(document, passage.spans).text == passage.text
    kept = {(s.document, at) for s in found.spans for at in range(s.start, s.end)}
    left = {(one.span.document, at) for one in found.dropped for at in range(one.span.start, one.span.end)}
    assert not kept & left
    everything = {(n, at) for n, text in texts.items() for at in range(len(text)) if not text[at].isspace()}
    assert {(n, at) for n, at in kept | left if not texts[n][at].isspace()} == everything


def test_what_fits_and_what_cannot_be() -> None:
    given = context(2)
    assert run(LLMLinguaPackage("none").compress(ASKED, given, 10_000, MODELS)) == given
    nothing = run(LLMLinguaPackage("none").compress(ASKED, given, 0, MODELS))
    assert nothing.passages == ()
    assert {one.span for one in nothing.dropped} == set(given.spans)
    with pytest.raises(ConfigError, match="needs a model"):
        run(LLMLinguaPackage().compress(ASKED, given, 5, MODELS))
    with pytest.raises(ConfigError, match="no method"):
        LLMLinguaPackage(method="llmlingua3")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="leave it out"):
        LLMLinguaPackage(options={"rate": 0.5})


@pytest.mark.parametrize("wrong", ["+__import__('os').getpid()", "+1;2", "", 100, "100"])
def test_what_the_package_would_run_as_code_is_a_number(wrong: object) -> None:
    with pytest.raises(ConfigError, match="context_budget"):
        LLMLinguaPackage(options={"context_budget": wrong})
    assert LLMLinguaPackage(options={"context_budget": "*1.3"}).options == {"context_budget": "*1.3"}
