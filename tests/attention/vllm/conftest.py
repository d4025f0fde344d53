"""One vLLM engine for all tests of a session, over a tiny checkpoint with random weights; skipped without vLLM."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

WHY = "vLLM is not installed here: make test-vllm runs these in its own environment"
TEMPLATE = (
    "{% for m in messages %}<|start|>{{ m.role }}\n{{ m.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)
TEXT = "the notice period is three months and the rent is due on the first day of each month in the city of "


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("vllm") and find_spec("vllm") is None:
            item.add_marker(pytest.mark.skip(reason=WHY))


def _tokenizer():
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|none|>", "<|start|>", "<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([TEXT] * 4, trainer)
    return tokenizer


@pytest.fixture(scope="session")
def make_checkpoint(tmp_path_factory):
    """Three layers, four heads of 32 in two groups; more can be asked of the configuration."""
    import torch
    import transformers

    def make(kind="Llama", **more):
        folder = tmp_path_factory.mktemp("tiny")
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=_tokenizer(), bos_token="<|start|>", eos_token="<|end|>", chat_template=TEMPLATE
        )
        tokenizer.save_pretrained(folder)
        torch.manual_seed(11)
        config = getattr(transformers, f"{kind}Config")(
            vocab_size=len(tokenizer), hidden_size=128, intermediate_size=192, num_hidden_layers=3,
            num_attention_heads=4, num_key_value_heads=2, head_dim=32, bos_token_id=1, eos_token_id=2,
            initializer_range=0.12, **{"max_position_embeddings": 4096} | more,
        )  # fmt: skip
        getattr(transformers, f"{kind}ForCausalLM")(config).save_pretrained(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def checkpoint(make_checkpoint):
    return make_checkpoint()


@pytest.fixture(scope="session")
def opened(tmp_path_factory):
    """Opens a reader in a cache folder of its own, which lives as long as the session."""
    from ragctx.readers import open_model

    patch = pytest.MonkeyPatch()
    readers = []

    def make(folder, **options):
        patch.setenv("RAGCTX_CACHE", str(tmp_path_factory.mktemp("own")))
        patch.setenv("VLLM_NO_USAGE_STATS", "1")
        reader = open_model(f"vllm:{folder}", **{"window": 4000, "memory": 1 << 26, "threads": 1, "batch": 4} | options)
        readers.append(reader)
        return reader

    yield make
    for reader in readers:
        reader.close()
    patch.undo()


@pytest.fixture(scope="session")
def engine_reader(checkpoint, opened):
    """A reader in float32 whose engine is loaded; its policy is changed by the tests, one after the other."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    reader = opened(checkpoint, sparse="off", dense="own", dtype="float32", chunk=512)
    reader._loaded()
    return reader


@pytest.fixture
def reader(engine_reader):
    """The reader as new: attending densely with vLLM's own kernel, nothing kept, chunks of 512."""
    scheduler = engine_reader._engine._engine.engine_core.engine_core.scheduler
    scheduler.max_num_scheduled_tokens = 512
    engine_reader.attend("off")
    engine_reader._engine._engine.reset_prefix_cache()
    return engine_reader


@pytest.fixture
def chunked(reader):
    """Sets how many tokens a step takes."""
    scheduler = reader._engine._engine.engine_core.engine_core.scheduler

    def cut(tokens):
        scheduler.max_num_scheduled_tokens = tokens

    return cut


@pytest.fixture(scope="session")
def prompt():
    """A prompt of about so many tokens, the same again for the same number."""
    places = ("Berne", "Ulm", "Graz", "Riga", "Oslo", "Lodz", "Turin", "Cork", "Metz", "Gent")

    def text(tokens, question="is the rent due"):
        lines, count = [], 0
        while count < tokens:
            lines.append(f"{len(lines)} {TEXT}{places[len(lines) * 7 % 10]}. ")
            count += 30
        return "".join(lines) + question

    return text


@pytest.fixture(scope="session")
def ask():
    from ragctx.work import Generate, Message, Sampling

    def request(text, **sampling):
        told = {"max_tokens": 12, "ignore_end": True, "logprobs": True} | sampling
        return Generate((Message("user", text),), sampling=Sampling(**told))

    return request


@pytest.fixture
def answer(reader):
    def replies(*requests):
        return reader.serve(requests, lambda i, text: None)

    return replies
