"""Provence checkpoints of both kinds, tiny and random, in the layout in which the real ones are published."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from ragctx.encoders import provence as plugin
from ragctx.errors import ConfigError, MissingExtra
from ragctx.work import Embed, Failure, Rerank, Stretch

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from safetensors.torch import load_file, save_file  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers  # noqa: E402

TEXT = "The rent is ten crowns a month. Pets are welcome in the yard. Late rent bears interest."
UNITS = ((0, 31), (32, 61), (62, 87))
QUERY = "What is the Rent?"
WIDTH = 32
MODERN = {
    "hidden_size": WIDTH, "intermediate_size": 48, "num_hidden_layers": 4, "num_attention_heads": 2,
    "max_position_embeddings": 256, "local_attention": 8, "global_attn_every_n_layers": 3,
    "global_rope_theta": 160000.0, "local_rope_theta": 10000.0, "classifier_pooling": "mean", "pad_token_id": 0,
}  # fmt: skip
DEBERTA = {
    "hidden_size": WIDTH, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "max_position_embeddings": 64, "relative_attention": True, "position_buckets": 16, "norm_rel_ebd": "layer_norm",
    "pos_att_type": ["p2c", "c2p"], "share_att_key": True, "position_biased_input": False, "type_vocab_size": 0,
    "pooler_hidden_size": WIDTH, "pooler_hidden_act": "gelu",
}  # fmt: skip


def save_tokenizer(folder, template=True):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=["[PAD]", "[CLS]", "[SEP]"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator([TEXT, QUERY] * 4, trainer)
    if template:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
        )
    tokenizer.enable_truncation(8)  # what a checkpoint's file says about truncation must not matter
    tokenizer.save(str(folder / "tokenizer.json"))
    said = {"cls_token": {"content": "[CLS]"}, "sep_token": "[SEP]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    return tokenizer.get_vocab_size()


def scrambled(model):
    """Weights large enough that random ones tell sentences apart."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn_like(weight) * 0.4 + (1.0 if weight.dim() == 1 else 0.0))
    return model.eval()


def save_open_provence(folder, *, version="4.57.1", legacy=False, max_length=48, template=True):
    """As `OpenProvenceEncoder.save_pretrained` writes it; returns the classifier and the token head."""
    folder.mkdir()
    torch.manual_seed(7)
    described = {**MODERN, "vocab_size": save_tokenizer(folder, template)}
    config = transformers.ModernBertConfig(**described, num_labels=1)
    ranking = scrambled(transformers.ModernBertForSequenceClassification(config))
    head = scrambled(torch.nn.Linear(WIDTH, 2))
    prefix = "" if legacy else "ranking_model."
    weights = {f"{prefix}{key}": value.clone() for key, value in ranking.state_dict().items()}
    weights |= {f"pruning_head.classifier.{key}": value.clone() for key, value in head.state_dict().items()}
    save_file(weights, folder / "model.safetensors")
    about = {
        "model_type": "open_provence", "architectures": ["OpenProvenceForSequenceClassification"],
        "auto_map": {"AutoModel": "modeling_open_provence_standalone.OpenProvenceForSequenceClassification"},
        "base_model_config": {**described, "model_type": "modernbert", "torch_dtype": "float32"},
        "pruning_config": {"hidden_size": WIDTH, "num_labels": 2}, "max_length": max_length, "num_labels": 1,
        "num_pruning_labels": 2, "encoder_architecture": "modernbert", "transformers_version": version,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(about))
    (folder / "modeling_open_provence_standalone.py").write_text("raise SystemExit('a checkpoint ran its own code')")
    return ranking, head


def save_provence(folder):
    """As Naver's checkpoint is laid out; returns the classifier and the token head."""
    folder.mkdir()
    torch.manual_seed(8)
    described = {**DEBERTA, "vocab_size": save_tokenizer(folder)}
    config = transformers.DebertaV2Config(**described, num_labels=1)
    ranking = scrambled(transformers.DebertaV2ForSequenceClassification(config))
    head = scrambled(torch.nn.Linear(WIDTH, 2))
    weights = {key: value.clone() for key, value in ranking.state_dict().items()}
    weights |= {f"token_classifier.{key}": value.clone() for key, value in head.state_dict().items()}
    weights["deberta.embeddings.position_ids"] = torch.arange(64)[None]
    save_file(weights, folder / "model.safetensors")
    about = {"model_type": "Provence", "auto_map": {"AutoModel": "modeling_provence.Provence"}, **described}
    (folder / "config.json").write_text(json.dumps(about))
    (folder / "modeling_provence.py").write_text("raise SystemExit('a checkpoint ran its own code')")
    return ranking, head


KINDS = {"open-provence": save_open_provence, "provence": save_provence}


@pytest.fixture(params=KINDS)
def folder(request, tmp_path):
    KINDS[request.param](tmp_path / request.param)
    return tmp_path / request.param


def ask(ranker, request):
    [reply] = ranker.serve([request], lambda i, text: None)
    return reply


def pair_ids(folder, query, text):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    asked = tokenizer.encode(query, add_special_tokens=False).ids
    passage = tokenizer.encode(text, add_special_tokens=False)
    return [1, *asked, 2, *passage.ids, 2], 2 + len(asked), passage.offsets


def means(needed, first, offsets, units=UNITS):
    mine = np.array(needed[first : first + len(offsets)])
    lasts = np.array([end - 1 for _, end in offsets])
    return [mine[(lasts >= start) & (lasts < end)].mean() for start, end in units]


@pytest.mark.parametrize(
    ("version", "legacy", "template"), [("4.57.1", False, True), ("4.57.1", True, False), ("5.2.0", False, True)]
)
def test_open_provence_weighs_as_the_library_does(tmp_path, version, legacy, template):
    ranking, head = save_open_provence(
        tmp_path / "m", version=version, legacy=legacy, max_length=200, template=template
    )
    states = {}
    ranking.model.final_norm.register_forward_hook(lambda _, given, out: states.update(old=given[0], new=out))
    ids, first, offsets = pair_ids(tmp_path / "m", QUERY, TEXT)
    with torch.no_grad():
        logits = ranking(torch.tensor([ids])).logits
        needed = torch.softmax(head(states["new" if version[0] == "5" else "old"])[0], -1)[:, 1].tolist()
    reply = ask(plugin.open_ranker(str(tmp_path / "m")), Rerank(QUERY, (TEXT,), units=(UNITS,)))
    assert reply.values == pytest.approx([torch.sigmoid(logits)[0, 0].item()], abs=1e-5)
    assert reply.keeps[0] == pytest.approx(means(needed, first, offsets), abs=1e-5)
    assert max(reply.keeps[0]) - min(reply.keeps[0]) > 0.01
    assert reply.tokens == len(ids)


def test_naver_provence_weighs_as_the_library_does(tmp_path):
    ranking, head = save_provence(tmp_path / "m")
    states = {}
    ranking.deberta.register_forward_hook(lambda _, given, out: states.update(last=out[0]))
    ids, first, offsets = pair_ids(tmp_path / "m", "what is the rent", TEXT)
    assert len(ids) <= 64
    with torch.no_grad():
        logits = ranking(torch.tensor([ids])).logits
        needed = torch.softmax(head(states["last"])[0], -1)[:, 1].tolist()
    reply = ask(plugin.open_ranker(str(tmp_path / "m")), Rerank(QUERY, (TEXT,), units=(UNITS,)))
    assert reply.values == pytest.approx([torch.sigmoid(logits)[0, 0].item()], abs=1e-5)
    assert reply.keeps[0] == pytest.approx(means(needed, first, offsets), abs=1e-5)


def test_the_licence_of_navers_weights_is_a_note(tmp_path):
    for save in KINDS.values():
        save(tmp_path / save.__name__)
    assert "CC BY-NC 4.0" in plugin.open_ranker(str(tmp_path / "save_provence")).note
    assert plugin.open_ranker(str(tmp_path / "save_open_provence")).note == ""


def test_the_compressor_prunes_with_it_by_name(folder):
    from ragctx import registry
    from ragctx.encoders import open_ranker
    from ragctx.engine import Engine
    from ragctx.readers.scripted import Scripted
    from ragctx.types import Context, Passage, Question, Span

    context = Context((Passage(TEXT, (Span("lease", 0, len(TEXT)),), "lease.md"),))
    with Engine({"reader": Scripted(), "ranker": open_ranker(f"provence:{folder}", threads=1)}) as engine:
        work = registry.make("compressors", "provence").compress(Question(QUERY), context, 8, engine.models)
        found = engine.run(work).result()
    assert found.passages[0].text in {TEXT[start:end] for start, end in UNITS}
    assert found.notes == ()


def test_facts_and_what_it_cannot_answer(folder):
    ranker = plugin.open_ranker(str(folder))
    assert ranker.facts.kinds == {"Rerank", "Prune"}
    assert ranker.facts.name == f"provence:{folder}"
    assert ranker.facts.counter.exact
    assert ranker.facts.counter.count("rent \ud800") > 0
    assert isinstance(ask(ranker, Embed(("a",))), Failure)
    assert "extractive" in ask(ranker, Rerank("a", ("b",), answers=1)).message
    assert isinstance(ask(ranker, Rerank("a", ("b", "c"), units=(((0, 1),),))), Failure)
    assert ranker.facts.speed is None
    ask(ranker, Rerank("a", ("b",)))
    assert ranker.facts.speed.prompt > 0
    ranker.close()
    assert not any(isinstance(stretch, Stretch) for stretch in ask(ranker, Rerank("a", ("b",))).answers)


def test_the_same_again_alone_and_in_company(folder):
    texts = (TEXT, "Rent.", TEXT * 2, "", "\n", "通知期間は三ヶ月です。")
    units = tuple(((0, len(text)),) if text else () for text in texts)
    ranker = plugin.open_ranker(str(folder))
    together = ask(ranker, Rerank(QUERY, texts, units=units))
    assert ask(plugin.open_ranker(str(folder), batch=1), Rerank(QUERY, texts, units=units)).keeps == together.keeps
    for i, text in enumerate(texts):
        alone = ask(ranker, Rerank(QUERY, (text,), units=(units[i],)))
        assert (alone.values[0], alone.keeps[0]) == (together.values[i], together.keeps[i])
    batched = ask(plugin.open_ranker(str(folder), batch=4), Rerank(QUERY, texts, units=units))
    assert batched.values == pytest.approx(together.values, abs=1e-5)
    assert np.concatenate(batched.keeps) == pytest.approx(np.concatenate(together.keeps), abs=1e-4)


def test_long_texts_are_read_in_windows_that_end_where_sentences_end(folder):
    pairs = plugin.open_ranker(str(folder), longest=48)._pairs
    text = " ".join([TEXT] * 12)
    units = tuple((at + start, at + end) for at in range(0, len(text), len(TEXT) + 1) for start, end in UNITS)
    windows = pairs.windows(QUERY, "Lease", text, units)
    assert all(len(window.ids) <= 48 for window in windows)
    places = [place for window in windows for place in window.places]
    assert places == pair_ids(folder, QUERY, text)[2]
    ends = {end for _, end in units}
    assert all(window.places[-1][1] in ends for window in windows)
    assert len({tuple(window.ids[: window.first]) for window in windows}) == 1
    reply = ask(plugin.open_ranker(str(folder), longest=48), Rerank(QUERY, (text,), units=(units,)))
    assert len(reply.keeps[0]) == len(units)
    assert all(0 <= keep <= 1 for keep in reply.keeps[0])


@pytest.mark.parametrize("text", ["rent " * 300, "租金" * 100, "a\x00\x1b[31m\u2028b\ud800c 😀", " \n\t "])
def test_odd_texts(folder, text):
    units = ((0, len(text)), (0, 1), (len(text), len(text)), (len(text) - 1, len(text)))
    reply = ask(plugin.open_ranker(str(folder)), Rerank(QUERY, (text,), units=(units,), titles=("x " * 900,)))
    assert len(reply.keeps[0]) == 4
    assert all(0 <= number <= 1 for number in (*reply.values, *reply.keeps[0]))


@pytest.mark.parametrize("query", ["", "???", "rent? " * 300, "租金"])
def test_odd_questions(folder, query):
    reply = ask(plugin.open_ranker(str(folder)), Rerank(query, (TEXT,), units=(UNITS,)))
    assert all(0 <= number <= 1 for number in (*reply.values, *reply.keeps[0]))


def test_a_title_is_read_with_the_passage(folder):
    ranker = plugin.open_ranker(str(folder))
    bare = ask(ranker, Rerank(QUERY, (TEXT,), units=(UNITS,)))
    named = ask(ranker, Rerank(QUERY, (TEXT,), units=(UNITS,), titles=("Rent",)))
    assert named.values != bare.values
    assert named.tokens > bare.tokens


def test_nothing_to_rank(folder):
    reply = ask(plugin.open_ranker(str(folder)), Rerank(QUERY, ()))
    assert (reply.values, reply.keeps) == ((), ())


def test_identity_is_what_the_files_hold(folder, tmp_path):
    import shutil

    identity = plugin.open_ranker(str(folder)).facts.identity
    shutil.copytree(folder, tmp_path / "copy")
    assert plugin.open_ranker(str(tmp_path / "copy")).facts.identity == identity
    weights = load_file(tmp_path / "copy" / "model.safetensors")
    name = next(iter(weights))
    save_file({**weights, name: weights[name] + 1}, tmp_path / "copy" / "model.safetensors")
    assert plugin.open_ranker(str(tmp_path / "copy")).facts.identity != identity


@pytest.mark.slow
def test_opening_loads_no_torch_and_disturbs_no_random_numbers(tmp_path):
    folder = tmp_path / "m"
    save_provence(folder)
    code = (
        "import sys; from ragctx.encoders.provence import open_ranker; from ragctx.work import Rerank\n"
        f"ranker = open_ranker({str(folder)!r}); print('torch' in sys.modules)\n"
        "import torch; torch.manual_seed(1); ranker.serve([Rerank('a', ('b',))], print); one = torch.rand(1)\n"
        "torch.manual_seed(1); print(bool(one == torch.rand(1)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert out == ["False", "True"]


def edit(folder, **changes):
    path = folder / "config.json"
    about = json.loads(path.read_text())
    path.write_text(json.dumps({**about, **changes}))


def reweigh(folder, change):
    path = folder / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path)


def test_foreign_and_broken_checkpoints_say_what_is_wrong(folder, tmp_path):
    name = str(folder)
    with pytest.raises(ConfigError, match="no folder at"):
        plugin.open_ranker(str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="no checkpoint named"):
        plugin.open_ranker("")
    with pytest.raises(ConfigError, match="hub"):
        plugin.open_ranker("nobody/has-such-a-model")
    with pytest.raises(ConfigError, match="at least 16"):
        plugin.open_ranker(name, longest=3)
    with pytest.raises(ConfigError, match="at least 1"):
        plugin.open_ranker(name, batch=0)
    with pytest.raises(ConfigError, match="device 'abacus'"):
        ask(plugin.open_ranker(name, device="abacus"), Rerank("a", ("b",)))


def test_a_model_without_a_pruning_head(folder):
    def beheaded(weights):
        for key in [key for key in weights if "token_classifier" in key or "pruning_head" in key]:
            del weights[key]

    reweigh(folder, beheaded)
    with pytest.raises(ConfigError, match=r"no head that prunes.*OpenProvence"):
        plugin.open_ranker(str(folder))


def test_heads_of_another_width(folder):
    def widened(weights):
        for key in [k for k in weights if k.endswith(("token_classifier.weight", "pruning_head.classifier.weight"))]:
            weights[key] = torch.zeros(2, WIDTH + 1)

    reweigh(folder, widened)
    with pytest.raises(ConfigError, match=r"has shape \[2, 33\], not \[2, 32\]"):
        plugin.open_ranker(str(folder))


def test_weights_that_the_config_does_not_describe(folder):
    def shortened(weights):
        del weights[next(key for key in weights if "layer" in key and key.endswith("weight"))]
        weights["stranger.weight"] = torch.zeros(1)

    reweigh(folder, shortened)
    with pytest.raises(ConfigError, match=r"it lacks .*layer.*stranger"):
        ask(plugin.open_ranker(str(folder)), Rerank("a", ("b",)))


def test_another_backbone(folder):
    about = json.loads((folder / "config.json").read_text())
    if "base_model_config" in about:
        edit(folder, base_model_config={**about["base_model_config"], "model_type": "bert"})
    else:
        reweigh(
            folder, lambda weights: [weights.update({f"x.{k}": weights.pop(k)}) for k in list(weights) if "deb" in k]
        )
    with pytest.raises(ConfigError, match="stands on"):
        plugin.open_ranker(str(folder))


def test_a_config_that_makes_no_network(folder):
    about = json.loads((folder / "config.json").read_text())
    if "base_model_config" in about:
        edit(folder, base_model_config={**about["base_model_config"], "num_attention_heads": "many"})
    else:
        edit(folder, num_attention_heads="many")
    with pytest.raises(ConfigError, match="makes no network"):
        ask(plugin.open_ranker(str(folder)), Rerank("a", ("b",)))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"max_position_embeddings": "many"}, "max_position_embeddings='many', which is no count"),
        ({"max_position_embeddings": 8}, "windows of 8, not 16"),
        ({"vocab_size": [400]}, "vocab_size="),
        ({"hidden_size": -1}, "hidden_size=-1"),
        ({"max_length": "long"}, "max_length='long'"),
        ({"max_length": -5}, "max_length=-5"),
        ({"base_model_config": ["modernbert"]}, "base_model_config .* is no table"),
    ],
)
def test_sizes_that_cannot_be(folder, values, told):
    about, own = json.loads((folder / "config.json").read_text()), {"max_length", "base_model_config"}
    if "base_model_config" in about and not own & values.keys():
        values = {"base_model_config": {**about["base_model_config"], **values}}
    edit(folder, **values)
    if "base_model_config" not in about and own & values.keys():
        assert plugin.open_ranker(str(folder)).facts.name, "Naver's configuration has neither, and nobody looks"
        return
    with pytest.raises(ConfigError, match=told):
        plugin.open_ranker(str(folder))


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("model.safetensors", b"\x99" * 64, "damaged"),
        ("config.json", b"{", "no JSON"),
        ("config.json", b"[1]", "no JSON table"),
        ("config.json", b"[" * 100_000, "no JSON table"),
        ("tokenizer.json", b"{}", "no tokenizer"),
        ("tokenizer.json", None, "no tokenizer.json"),
        ("config.json", None, "no config.json"),
        ("model.safetensors", None, "safetensors weights"),
    ],
)
def test_files_that_are_damaged_or_not_there(folder, file, content, told):
    (folder / file).unlink() if content is None else (folder / file).write_bytes(content)
    with pytest.raises(ConfigError, match=told):
        plugin.open_ranker(str(folder))


def test_a_tokenizer_of_another_checkpoint(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens([f"word{n}" for n in range(50)])
    tokenizer.save(str(folder / "tokenizer.json"))
    with pytest.raises(ConfigError, match="two checkpoints"):
        plugin.open_ranker(str(folder))


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(plugin, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"ragctx\[local\]"):
        plugin.open_ranker("any")
    assert plugin.missing("any") == "pip install 'ragctx[local]'"
