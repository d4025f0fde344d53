"""A model whose files are not as they should be says so, and what to do."""

import hashlib
import json
import shutil

import numpy as np
import pytest

from ragctx.encoders import missing, open_encoder, open_ranker
from ragctx.encoders.extractive.files import CARD, MODEL, PACKAGED, TOKENIZER
from ragctx.errors import ConfigError, StoreCorrupt, UnknownName
from ragctx.work import Rerank

ASKED = Rerank("Who wrote it?", ("Ada Moss wrote it.",))


def opened(folder):
    return open_ranker(f"extractive:{folder}", threads=1)


def served(folder):
    return opened(folder).serve([ASKED], lambda index, text: None)


def changed(folder, **values):
    """The card with other values, or without those that are None; the checksum is that of the file that is there."""
    card = json.loads((folder / CARD).read_text()) | values
    card["sha256"] = hashlib.sha256((folder / MODEL).read_bytes()).hexdigest()
    (folder / CARD).write_text(json.dumps({key: value for key, value in card.items() if value is not None}))


def test_a_copy_is_the_same_model(tmp_path):
    packaged, folder = open_ranker(threads=1), shutil.copytree(PACKAGED, tmp_path / "copy")
    assert opened(folder).facts.identity == packaged.facts.identity
    assert served(folder)[0].values == packaged.serve([ASKED], lambda index, text: None)[0].values


def test_another_calibration_is_another_model(folder):
    before = opened(folder).facts.identity
    changed(folder, calibration={**json.loads((folder / CARD).read_text())["calibration"], "relevance": [0.0, 0.0]})
    assert opened(folder).facts.identity != before
    assert served(folder)[0].values == (0.5,)


@pytest.mark.parametrize("name", [CARD, MODEL, TOKENIZER])
def test_a_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(StoreCorrupt, match=f"lacks {name}: export it again"):
        opened(folder)
    assert name in missing(f"extractive:{folder}")


def test_a_missing_folder():
    with pytest.raises(ConfigError, match="is no folder"):
        opened("nowhere-at-all")


def test_packaged_files_that_are_missing_ask_for_a_new_installation(folder, monkeypatch):
    from ragctx.encoders.extractive import files

    monkeypatch.setattr(files, "PACKAGED", folder)
    assert open_ranker().facts.identity
    (folder / MODEL).unlink()
    with pytest.raises(StoreCorrupt, match="pip install --force-reinstall"):
        open_ranker()
    assert "pip install" in missing("extractive")


def test_weights_are_checked_against_the_card(folder):
    opened(folder)
    data = bytearray((folder / MODEL).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / MODEL).write_bytes(data)
    with pytest.raises(StoreCorrupt, match="checksum"):
        opened(folder)


def test_a_tokenizer_is_checked_where_the_card_knows_it(folder):
    changed(folder, tokenizer_sha256=hashlib.sha256((folder / TOKENIZER).read_bytes()).hexdigest())
    opened(folder)
    words = (folder / TOKENIZER).read_text(encoding="utf-8")
    (folder / TOKENIZER).write_text(words.replace('"lowercase":true', '"lowercase":false'), encoding="utf-8")
    with pytest.raises(StoreCorrupt, match=r"tokenizer.*is not the file"):
        opened(folder)


def test_weights_cut_short(folder):
    (folder / MODEL).write_bytes((folder / MODEL).read_bytes()[:1_000_000])
    with pytest.raises(StoreCorrupt, match="checksum"):
        opened(folder)
    changed(folder)
    with pytest.raises(StoreCorrupt, match="none of ONNX Runtime's"):
        served(folder)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 100_000,
        "null",
        "\xff\xfe",
        '{"name": "extractive"}',
        '{"name": "x", "version": "1", "sha256": "0", "width": 4, "longest": 288, "calibration": {"relevance": [1]}}',
    ],
)
def test_a_card_that_is_none(folder, text):
    (folder / CARD).write_text(text, encoding="latin-1")
    with pytest.raises(StoreCorrupt, match="is no card of a reading model"):
        opened(folder)


@pytest.mark.parametrize(
    "values",
    [
        {"longest": 8},
        {"longest": 255},
        {"longest": float("inf")},
        {"width": 0},
        {"width": None},
        {
            "calibration": {
                "relevance": [1, float("nan")],
                "keep": {"mean": 1, "stretch": 0, "intercept": 0},
                "answer": {},
            }
        },
        {
            "calibration": {
                "relevance": [float("inf"), 0],
                "keep": {"mean": 1, "stretch": 0, "intercept": 0},
                "answer": {"score": 1, "relevance": 0, "intercept": 0},
            }
        },
    ],
)
def test_a_card_with_numbers_that_cannot_be(folder, values):
    changed(folder, **values)
    with pytest.raises(StoreCorrupt, match="is no card of a reading model"):
        opened(folder)


@pytest.mark.parametrize("text", ["", "{}", "not json"])
def test_a_tokenizer_that_is_none(folder, text):
    (folder / TOKENIZER).write_text(text)
    with pytest.raises(StoreCorrupt, match="tokenizer cannot be read"):
        served(folder)


def test_a_tokenizer_of_another_model(folder):
    table = json.loads((folder / TOKENIZER).read_text())
    table["added_tokens"].append({**table["added_tokens"][0], "id": 30_522, "content": "[NEW]"})
    (folder / TOKENIZER).write_text(json.dumps(table))
    with pytest.raises(StoreCorrupt, match="cannot read its own vocabulary"):
        served(folder)
    table["added_tokens"], table["model"]["vocab"] = [], {"[UNK]": 0, "a": 1}
    table["post_processor"] = None
    (folder / TOKENIZER).write_text(json.dumps(table))
    with pytest.raises(StoreCorrupt, match=r"knows no \[CLS\] and \[SEP\]"):
        served(folder)


def test_a_model_of_another_width(folder):
    changed(folder, width=512)
    with pytest.raises(StoreCorrupt, match="not three of"):
        served(folder)


def test_a_card_that_promises_longer_passes_than_the_model_reads(folder):
    changed(folder, longest=600)
    with pytest.raises(StoreCorrupt, match="cannot read 600 tokens"):
        served(folder)


def test_a_model_whose_numbers_are_none(folder):
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(folder / MODEL)
    [bias] = [one for one in graph.graph.initializer if one.name.endswith("tokens.bias")]
    bias.CopyFrom(onnx.numpy_helper.from_array(np.full(3, np.nan, np.float32), bias.name))
    onnx.save(graph, folder / MODEL)
    changed(folder)
    with pytest.raises(StoreCorrupt, match="numbers that are none"):
        served(folder)


def test_a_foreign_graph(folder):
    onnx = pytest.importorskip("onnx")
    value = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    kinds = [[value(name, onnx.TensorProto.FLOAT, [None])] for name in "xy"]
    graph = onnx.helper.make_model(
        onnx.helper.make_graph([node], "foreign", *kinds),
        opset_imports=[onnx.helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.save(graph, folder / MODEL)
    changed(folder)
    with pytest.raises(StoreCorrupt, match="takes x, not ids, types, mask"):
        served(folder)


def test_a_graph_without_an_output(folder):
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(folder / MODEL)
    lost = next(output for output in graph.graph.output if output.name == "keep")
    graph.graph.output.remove(lost)
    onnx.save(graph, folder / MODEL)
    changed(folder)
    with pytest.raises(StoreCorrupt, match="does not give keep"):
        served(folder)


def test_names_and_options():
    with pytest.raises(UnknownName, match="ranker 'extractve'"):
        open_ranker("extractve")
    with pytest.raises(ConfigError, match="'extractive' has no option foo: it has threads"):
        open_ranker("extractive", foo=1)
    for wrong in (0, "2", 1.5):
        with pytest.raises(ConfigError, match="at least one"):
            open_ranker("extractive", threads=wrong)
    with pytest.raises(ConfigError, match="cannot rank"):
        open_ranker(3)
    with pytest.raises(ConfigError, match="cannot rank"):
        open_ranker(open_encoder(Lengths()))
    model = open_encoder("extractive", threads=1)
    assert open_ranker(model) is model
    assert missing("extractive") == ""


class Lengths:
    def encode(self, texts):
        return [[float(len(text)), 1.0] for text in texts]


def test_the_packaged_model_is_small_enough():
    assert sum(file.stat().st_size for file in PACKAGED.iterdir()) <= 25_000_000


def test_nothing_heavy_is_imported_before_the_first_request():
    import subprocess
    import sys

    code = (
        "import sys, ragctx.encoders as e; assert 'onnxruntime' not in sys.modules\n"
        "model = e.open_ranker(); model.facts\n"
        "assert not {'onnxruntime', 'tokenizers'} & set(sys.modules), 'loaded by opening'\n"
        "from ragctx.work import Rerank\n"
        "model.serve([Rerank('Why?', ('Because.',))], None)\n"
        "assert not {'torch', 'sklearn', 'transformers'} & set(sys.modules), 'loaded by serving'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_replaced_file_is_checked_again(folder, tmp_path_factory):
    opened(folder)
    other = tmp_path_factory.mktemp("other")
    shutil.copy(folder / TOKENIZER, other / MODEL)
    shutil.copy(other / MODEL, folder / MODEL)
    with pytest.raises(StoreCorrupt, match="checksum"):
        opened(folder)
