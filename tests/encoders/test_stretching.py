"""Longer inputs and sharper attention, on a BERT of two layers made here with random weights."""

import json

import numpy as np
import pytest

from ragctx.encoders import open_encoder
from ragctx.encoders.stretching import Stretch
from ragctx.errors import ConfigError
from ragctx.work import Embed

WORDS = [f"w{number}" for number in range(50)]
OWN = 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    pytest.importorskip("sentence_transformers")
    place = tmp_path_factory.mktemp("bert")
    (place / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    config = transformers.BertConfig(
        vocab_size=55, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=OWN, initializer_range=0.5,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(place / "raw")
    transformers.BertTokenizerFast(vocab=str(place / "vocab.txt"), model_max_length=OWN).save_pretrained(place / "raw")
    return place / "raw"


def opened(folder, **options):
    return open_encoder(f"sentence-transformers:{folder}", **options)


def vectors(encoder, *texts):
    [reply] = encoder.serve([Embed(texts)], lambda i, text: None)
    return reply.rows


def words(count, last="w0"):
    return " ".join([*(WORDS[number % 40 + 1] for number in range(count - 1)), last])


def bert(encoder):
    return encoder._model.model[0].auto_model


def test_inputs_within_the_table_keep_their_vectors_also_beside_longer_ones(folder):
    plain, long = opened(folder), opened(folder, length=64)
    for count in (1, 7, OWN - 2):
        before = vectors(plain, words(count))
        np.testing.assert_allclose(vectors(long, words(count)), before, atol=1e-6)
        np.testing.assert_allclose(vectors(long, words(count), words(50))[:1], before, atol=1e-6)


def test_longer_inputs_are_read_to_their_end_and_alone_as_in_a_batch(folder):
    plain, long = opened(folder), opened(folder, length=64)
    one, other = words(40, "w45"), words(40, "w49")
    np.testing.assert_allclose(*np.split(vectors(plain, one, other), 2), atol=1e-6)
    rows = vectors(long, one, other, words(3), words(62))
    assert np.abs(rows[0] - rows[1]).max() > 1e-3
    np.testing.assert_allclose(vectors(long, one), rows[:1], atol=1e-5)


def test_positions_lie_between_the_learned_ones(folder):
    import torch

    plain, long = opened(folder), opened(folder, length=4 * OWN)
    vectors(plain, "w1")
    vectors(long, "w1")
    learned, rows = (bert(e).embeddings.position_embeddings.weight for e in (plain, long))
    assert rows.shape == (5 * OWN, 32)
    assert torch.equal(rows[:OWN], learned)
    assert torch.equal(rows[OWN::4], learned)
    torch.testing.assert_close(rows[OWN + 2], (learned[0] + learned[1]) / 2)


def test_temperature_divides_the_logits_of_attention(folder):
    import torch

    plain, sharp = opened(folder), opened(folder, temperature=0.5)
    before = vectors(plain, words(8))
    assert np.abs(vectors(sharp, words(8)) - before).max() > 1e-4
    for layer in bert(plain).encoder.layer:
        layer.attention.self.scaling /= 0.5
    np.testing.assert_allclose(vectors(sharp, words(8)), vectors(plain, words(8)), atol=1e-5)
    for one, other in zip(bert(plain).encoder.layer, bert(sharp).encoder.layer, strict=True):
        torch.testing.assert_close(one.attention.self.query.weight, other.attention.self.query.weight * 0.5)


def test_both_are_part_of_the_identity(folder):
    known = [opened(folder, **o).facts.identity for o in ({}, {"length": 64}, {"length": 32}, {"temperature": 0.9})]
    assert len(set(known)) == 4
    assert known[0] == opened(folder, temperature=1.0).facts.identity


@pytest.mark.parametrize(
    "options",
    [
        {"length": OWN}, {"length": 0}, {"length": "long"}, {"length": 64.5}, {"length": True}, {"batch": 0},
        {"temperature": 0.0}, {"temperature": float("nan")}, {"temperature": "warm"}, {"threads": "all"},
    ],
)  # fmt: skip
def test_options_that_make_no_sense(folder, options):
    with pytest.raises(ConfigError):
        opened(folder, **options)


def test_another_kind_of_model_is_told(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "mpnet", "max_position_embeddings": 514}))
    with pytest.raises(ConfigError, match="mpnet"):
        Stretch(1024).check(tmp_path)
    Stretch().check(tmp_path)


def test_a_pipeline_hands_them_on_and_keeps_an_index_for_each(folder, tmp_path):
    from ragctx import Pipeline
    from ragctx.readers.scripted import Scripted
    from ragctx.strategies.retrieve import Retrieve

    pytest.importorskip("faiss")
    (tmp_path / "a.txt").write_text(words(40))
    given = {
        "reader": Scripted(),
        "ranker": None,
        "scorer": None,
        "strategies": {"retrieve": Retrieve(retriever="dense")},
    }
    given |= {"encoder": f"sentence-transformers:{folder}", "folder": tmp_path / "store", "cache": False}
    known = []
    for options in (None, {"length": 64}, {"length": 64, "temperature": 0.9}):
        with Pipeline.over(tmp_path / "a.txt", encoder_options=options, **given) as pipeline:
            pipeline.prepare()
            known.append(pipeline.models.of("encoder").identity)
    assert len(list((tmp_path / "store" / "indexes").glob("dense-*"))) == len(set(known)) == 3
    for options, told in (({"lenght": 64}, "no option lenght: it has batch"), ({"length": 1}, "positions of its own")):
        with pytest.raises(ConfigError, match=told):
            Pipeline.over(tmp_path / "a.txt", encoder_options=options, **given)
    with pytest.raises(ConfigError, match="no length: name one"):
        Pipeline.over(tmp_path / "a.txt", encoder_options={"length": 64}, **given | {"encoder": None})
    with pytest.raises(ConfigError, match="takes no length"):
        Pipeline.over(tmp_path / "a.txt", encoder_options={"length": 64}, **given | {"encoder": opened(folder)})
