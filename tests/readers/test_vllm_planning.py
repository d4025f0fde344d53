"""What the vllm reader knows and refuses before vLLM is loaded, or where it is not installed."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

pytest.importorskip("torch")

from ragctx.errors import ConfigError, LimitError, MissingExtra, UnknownName
from ragctx.readers import missing, open_model
from ragctx.readers.vllm_memory import BASE, PAGE, DoesNotHold, Footprint, _within, free, parameters
from ragctx.readers.vllm_params import prompt, seed
from ragctx.work import Generate, Message, Sampling

GIB = 1 << 30


def test_the_footprint_is_that_of_the_files(checkpoint):
    size = Footprint.read(checkpoint, "bfloat16")
    assert size.token == 3 * 2 * 2 * 8 * 2  # layers, keys and values, KV heads, width, bytes
    assert Footprint.read(checkpoint, "float32").token == 2 * size.token
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(checkpoint)
    assert parameters(checkpoint) == sum(each.numel() for each in model.parameters())


def test_latent_attention_keeps_one_vector():
    config = {
        "num_hidden_layers": 10, "num_attention_heads": 16, "hidden_size": 2048, "kv_lora_rank": 512,
        "qk_rope_head_dim": 64,
    }  # fmt: skip
    assert Footprint.of(config, 0, "bfloat16").token == 10 * (512 + 64) * 2


def test_two_windows_fit_or_one_or_none():
    size = Footprint(weights=GIB, token=10_000, vocabulary=50_000)
    window = 100_000
    one = (-(-window // PAGE) + 1) * PAGE * 10_000
    assert size.keys(window, 0, 100 * GIB, "m") == 2 * one
    assert size.keys(window, 0, GIB + BASE + one, "m") == one
    with pytest.raises(DoesNotHold, match=r"100,000 tokens \(10,000 bytes.*1\.00 GiB for its weights") as told:
        size.keys(window, 0, GIB + BASE + one // 2, "m")
    fits = int(str(told.value).partition("set window=")[2])
    assert 0.45 * window < fits < 0.5 * window
    assert size.keys(fits, 0, GIB + BASE + one // 2, "m")
    with pytest.raises(LimitError, match="smaller model"):
        size.keys(window, 0, GIB, "m")


def test_memory_that_was_given_is_used_or_refused():
    size = Footprint(weights=GIB, token=10_000, vocabulary=50_000)
    assert size.keys(1000, 5 * GIB, 100 * GIB, "m") == 5 * GIB
    with pytest.raises(DoesNotHold, match=r"0\.01 GiB were given.*set window=896 or memory=11520000"):
        size.keys(1000, 10_500_000, 100 * GIB, "m")
    with pytest.raises(DoesNotHold, match=r"5\.00 GiB were given"):
        size.keys(1000, 5 * GIB, 4 * GIB, "m")


def test_free_memory_is_a_number_of_this_machine():
    assert 1 << 20 < free() < 1 << 50


def test_a_containers_limit_counts_and_files_it_has_read_do_not(tmp_path):
    def told(limit):
        for name, text in (("max", limit), ("current", "900\n"), ("stat", "anon 400\nfile 500\ninactive_file 300\n")):
            (tmp_path / f"memory.{name}").write_text(text)
        return _within(tmp_path)

    assert told("1000\n") == [400]
    assert told("500\n") == [0]
    assert told("max\n") == _within(tmp_path / "none") == []


def test_a_reader_that_cannot_hold_its_window_does_not_open(checkpoint):
    with pytest.raises(DoesNotHold, match="set window="):
        open_model(f"vllm:{checkpoint}", sparse="off", memory=1 << 18)


def test_opening_loads_neither_torch_nor_vllm(checkpoint):
    script = (
        "import sys; from ragctx.readers import open_model; from ragctx.work import Message\n"
        f"reader = open_model('vllm:{checkpoint}', sparse='off')\n"
        "assert reader.facts.window == 2048 and reader.facts.counter.render([Message('user', 'a b')]) > 5\n"
        "assert reader.facts.name.startswith('vllm:') and 'dense' in reader.facts.identity\n"
        "assert not {'torch', 'transformers', 'vllm'} & set(sys.modules), 'heavy'"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_policies_have_identities_of_their_own(checkpoint):
    every = [{"sparse": "off"}, {"sparse": "off", "dense": "own"}, {"sparse": "auto"}, {"sparse": "off", "loops": True}]
    identities = {open_model(f"vllm:{checkpoint}", **options).facts.identity for options in every}
    assert len(identities) == 4


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed here")
def test_without_vllm_the_first_request_says_what_to_install(checkpoint):
    reader = open_model(f"vllm:{checkpoint}", sparse="off")
    with pytest.raises(MissingExtra, match=r"pip install 'ragctx\[vllm"):
        reader.serve([Generate((Message("user", "a"),))], lambda i, text: None)
    assert "ragctx[vllm" in missing(f"vllm:{checkpoint}")


def test_options_that_are_wrong(checkpoint):
    for options, told in (
        ({"dtype": "float8"}, "bfloat16 or float32|float32 or bfloat16"),
        ({"dense": "fast"}, "stock or own"),
        ({"spars": "off"}, "no option spars: it has"),
        ({"threads": -1}, "threads"),
        ({"measure": -1}, "measure=-1: give a number of tiles"),
        ({"batch": 0}, "batch=0 for vllm: give a whole number from 1"),
        ({"chunk": "2k"}, "chunk='2k'"),
        ({"window": -5}, "window=-5"),
        ({"memory": 0}, "memory=0"),
    ):
        with pytest.raises(ConfigError, match=told):
            open_model(f"vllm:{checkpoint}", **options)
    with pytest.raises(UnknownName):
        open_model(f"vllm:{checkpoint}", sparse={"rule": "no-such-rule"})


def test_a_checkpoint_that_hides_its_window_needs_one(checkpoint, tmp_path):
    import shutil

    other = tmp_path / "other"
    shutil.copytree(checkpoint, other)
    config = json.loads((other / "config.json").read_text())
    del config["max_position_embeddings"]
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="give window=TOKENS"):
        open_model(f"vllm:{other}", sparse="off")
    assert open_model(f"vllm:{other}", sparse="off", window=512).facts.window == 512


def test_samples_have_seeds_of_their_own():
    drawn = [seed(Sampling(temperature=1.0, seed=s, sample=n)) for s in range(3) for n in range(3)]
    assert len(set(drawn)) == 9
    assert seed(Sampling(seed=5)) is None
    assert prompt(np.asarray([3, 4], np.int32), "x") == {"prompt_token_ids": [3, 4], "cache_salt": "x"}
