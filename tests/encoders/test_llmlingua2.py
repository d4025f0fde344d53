"""LLMLingua-2 checkpoints of both published architectures, tiny and random, in the layout of the real ones."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from ragctx.encoders import llmlingua2 as plugin
from ragctx.encoders import open_ranker
from ragctx.encoders.windows import pooled
from ragctx.errors import ConfigError, MissingExtra
from ragctx.work import Embed, Failure, Rerank

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
from safetensors.torch import load_file, save_file  # noqa: E402
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402

TEXT = "The rent is ten crowns a month. Pets are welcome in the yard.\nLate rent bears 4.5% more; 通知期间为三个月。"
SHAPE = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2, "num_labels": 2}


def word_pieces(folder):
    """As multilingual BERT's."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator([TEXT] * 4, trainers.WordPieceTrainer(vocab_size=140, special_tokens=special))
    ids = [(mark, tokenizer.token_to_id(mark)) for mark in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ids)
    tokenizer.enable_truncation(8)  # what a checkpoint's file says about truncation must not matter
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer.get_vocab_size()


def sentence_pieces(folder):
    """As XLM-RoBERTa's."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=140, special_tokens=special, unk_token="<unk>")
    tokenizer.train_from_iterator([TEXT] * 4, trainer)
    ids = [(mark, tokenizer.token_to_id(mark)) for mark in ("<s>", "</s>")]
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=ids)
    tokenizer.enable_padding(length=300)
    tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer.get_vocab_size()


def save(folder, kind):
    """The classifier that was saved."""
    folder.mkdir()
    torch.manual_seed(5)
    if kind == "bert":
        config = transformers.BertConfig(**SHAPE, vocab_size=word_pieces(folder), max_position_embeddings=64)
        model = transformers.BertForTokenClassification(config)
    else:
        config = transformers.XLMRobertaConfig(
            **SHAPE, vocab_size=sentence_pieces(folder) + 100, max_position_embeddings=66, pad_token_id=1
        )
        model = transformers.XLMRobertaForTokenClassification(config)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn_like(weight) * 0.3 + (1.0 if weight.dim() == 1 else 0.0))
        model.classifier.bias.copy_(torch.tensor([0.0, 4.6]))  # so that about half of the words are kept
    model.eval().save_pretrained(folder)
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    base = tmp_path_factory.mktemp("checkpoints")
    return {kind: (base / f"any-name-{n}", save(base / f"any-name-{n}", kind)) for n, kind in enumerate(KINDS)}


KINDS = ("bert", "xlm-roberta")


@pytest.fixture(params=KINDS)
def checkpoint(request, saved):
    return saved[request.param]


@pytest.fixture
def folder(checkpoint, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(checkpoint[0], tmp_path / "m")
    return tmp_path / "m"


def ask(ranker, request):
    [reply] = ranker.serve([request], lambda i, text: None)
    return reply


def spots(text):
    """The words of a text, parted at blanks."""
    at, found = 0, []
    for word in text.split():
        at = text.index(word, at)
        found.append((at, at + len(word)))
        at += len(word)
    return tuple(found)


def test_words_weigh_what_the_library_says_of_their_tokens(checkpoint):
    folder, model = checkpoint
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    text = TEXT.splitlines()[0]
    encoding = tokenizer.encode(text)
    assert len(encoding.ids) <= 64
    with torch.no_grad():
        kept = torch.softmax(model(torch.tensor([encoding.ids])).logits[0], -1)[:, 1].tolist()
    expected = [
        np.mean(
            [kept[i] for i, (first, last) in enumerate(encoding.offsets) if first < last and start <= last - 1 < end]
        )
        for start, end in spots(text)
    ]
    ranker = plugin.open_ranker(str(folder))
    reply = ask(ranker, Rerank("", (text,), units=(spots(text),)))
    assert reply.keeps[0] == pytest.approx(expected, abs=1e-5)
    assert max(expected) - min(expected) > 0.01
    assert reply.tokens == len(encoding.ids)
    assert 0 < reply.values[0] < 1


def test_the_tokenizer_tells_its_tokens(checkpoint):
    counter = plugin.open_ranker(str(checkpoint[0])).facts.counter
    ids, places = counter.pieces(TEXT)
    assert counter.exact
    assert counter.count(TEXT) == len(ids) == len(places)
    assert all(0 <= start <= end <= len(TEXT) for start, end in places)
    assert set("".join(TEXT[start:end] for start, end in places)) >= set(TEXT) - set(" \n")
    long = "rent of ten crowns " * 3000
    assert counter.pieces(long)[1][-1][1] >= len(long) - 1
    assert counter.pieces("x" * 50_000)[1][-1][1] == 50_000


def test_neither_question_nor_title_matters(checkpoint):
    ranker = plugin.open_ranker(str(checkpoint[0]))
    one = ask(ranker, Rerank("", (TEXT,), units=(spots(TEXT),)))
    two = ask(ranker, Rerank("What is the rent?", (TEXT,), titles=("lease",), units=(spots(TEXT),)))
    assert (one.values, one.keeps, one.tokens) == (two.values, two.keeps, two.tokens)
    assert {"Rerank", "Prune", "Words"} == ranker.facts.kinds


def test_long_texts_are_read_in_windows_that_end_where_sentences_do(checkpoint):
    windows = plugin.open_ranker(str(checkpoint[0]), longest=48)._windows
    text = "\n".join([TEXT] * 9)
    found = windows.of(text)
    assert len(found) > 3
    assert all(len(window.ids) <= 48 for window in found)
    assert [place for window in found for place in window.places] == list(windows.counter.pieces(text)[1])
    ends = [text[window.places[-1][1] - 1] for window in found[:-1]]
    assert sum(mark in ".。" for mark in ends) > len(ends) / 2
    assert all(len(window.ids) <= 64 for window in plugin.open_ranker(str(checkpoint[0]))._windows.of(text))


def test_the_same_again_alone_and_in_company(checkpoint):
    texts = (TEXT, "Rent.", "\n".join([TEXT] * 3), "", "\n", "通知期間は三ヶ月です。")
    units = tuple(spots(text) for text in texts)
    ranker = plugin.open_ranker(str(checkpoint[0]))
    together = ask(ranker, Rerank("", texts, units=units))
    alone = ranker.serve([Rerank("", (text,), units=(u,)) for text, u in zip(texts, units, strict=True)], print)
    assert [one.keeps[0] for one in alone] == list(together.keeps)
    assert [one.values[0] for one in alone] == list(together.values)
    batched = ask(plugin.open_ranker(str(checkpoint[0]), batch=4), Rerank("", texts, units=units))
    assert np.concatenate(batched.keeps) == pytest.approx(np.concatenate(together.keeps), abs=1e-4)
    assert ranker.facts.speed.prompt > 0


@pytest.mark.parametrize(
    "text", ["rent " * 300, "租金" * 100, "a\x00\x1b[31m\u2028b\ud800c 😀", " \n\t ", "<pad>[SEP]<s>"]
)
def test_odd_texts_and_units(checkpoint, text):
    units = ((0, len(text)), (0, 1), (len(text), len(text)), (len(text) - 1, len(text)))
    reply = ask(plugin.open_ranker(str(checkpoint[0])), Rerank("", (text,), units=(units,)))
    assert len(reply.keeps[0]) == 4
    assert all(0 <= number <= 1 for number in (*reply.values, *reply.keeps[0]))


def test_many_units_at_once_are_pooled_without_looking_at_each_token_again():
    places = [(i * 2, i * 2 + 1) for i in range(200_000)]
    weights = np.linspace(0, 1, len(places))
    assert pooled(places, weights, places) == pytest.approx(tuple(weights), abs=1e-5)
    assert pooled([(0, 1), (1, 1)], np.array([0.5, 0.9]), [(0, 1)]) == (0.5,)
    assert pooled([], np.zeros(0), [(0, 1)]) == (0.0,)
    assert pooled(places[:3], weights[:3], []) == ()


def test_what_it_cannot_answer(checkpoint):
    ranker = plugin.open_ranker(str(checkpoint[0]))
    failures = ranker.serve(
        [Embed(("a",)), Rerank("a", ("b",), answers=1), Rerank("a", ("b", "c"), units=((),))], print
    )
    assert all(isinstance(one, Failure) for one in failures)
    assert "extractive" in failures[1].message
    assert ask(ranker, Rerank("a", ())).values == ()
    ranker.close()
    assert ask(ranker, Rerank("", ("Rent.",))).keeps == ()


def test_the_compressor_drops_words_with_it_by_name(checkpoint):
    from ragctx import registry
    from ragctx.engine import Engine
    from ragctx.readers.scripted import Scripted
    from ragctx.types import Context, Passage, Question, Span

    context = Context((Passage(TEXT, (Span("lease", 0, len(TEXT)),), "lease.md"),))
    with Engine({"reader": Scripted(), "ranker": open_ranker(f"llmlingua2:{checkpoint[0]}", threads=1)}) as engine:
        compressor = registry.make("compressors", "llmlingua2", numbers=True)
        found = engine.run(compressor.compress(Question("?"), context, 12, engine.models)).result()
        counter = engine.models.reader.counter
    [kept] = found.passages
    assert 10 <= counter.count(kept.text) <= 12
    assert "4.5%" in kept.text
    assert kept.text != TEXT
    assert found.notes == ()
    ends = {place for start, end in spots(TEXT) for place in (start, end)}
    latin = [span for span in kept.spans if TEXT[span.start].isascii() and TEXT[span.start].isalnum()]
    assert all(span.start in ends or not TEXT[span.start - 1].isalnum() for span in latin)


def test_identity_is_what_the_files_hold(checkpoint, folder):
    identity = plugin.open_ranker(str(checkpoint[0])).facts.identity
    assert plugin.open_ranker(str(folder)).facts.identity == identity
    assert plugin.open_ranker(str(folder), longest=32).facts.identity != identity
    edit(folder, hidden_dropout_prob=0.3)
    assert plugin.open_ranker(str(folder)).facts.identity != identity


def edit(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def reweigh(folder, change):
    path = folder / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path)


def test_options_that_make_no_sense(checkpoint, tmp_path):
    name = str(checkpoint[0])
    with pytest.raises(ConfigError, match="no folder at"):
        plugin.open_ranker(str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="no checkpoint named"):
        plugin.open_ranker("")
    with pytest.raises(ConfigError, match="at least 16"):
        plugin.open_ranker(name, longest=3)
    with pytest.raises(ConfigError, match="at least 1"):
        plugin.open_ranker(name, batch=0)
    with pytest.raises(ConfigError, match="threads must be a whole number of at least 1, not '2'"):
        plugin.open_ranker(name, threads="2")  # type: ignore[arg-type]  # as a settings file may say it
    with pytest.raises(ConfigError, match="device 'abacus'"):
        ask(plugin.open_ranker(name, device="abacus"), Rerank("a", ("b",)))


def test_a_name_that_is_nowhere(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ConfigError, match="hub"):
        plugin.open_ranker("nobody/has-such-a-model")


def test_another_head_or_none(folder):
    reweigh(folder, lambda weights: weights.update({"classifier.weight": torch.zeros(3, 32)}))
    with pytest.raises(ConfigError, match="tells 3 labels"):
        plugin.open_ranker(str(folder))
    reweigh(folder, lambda weights: weights.pop("classifier.weight"))
    with pytest.raises(ConfigError, match="no head"):
        plugin.open_ranker(str(folder))


def test_weights_that_the_config_does_not_describe(folder):
    def shortened(weights):
        del weights[next(key for key in weights if "attention" in key and key.endswith("weight"))]
        weights["stranger.weight"] = torch.zeros(1)

    reweigh(folder, shortened)
    with pytest.raises(ConfigError, match=r"it lacks .*attention.*stranger"):
        ask(plugin.open_ranker(str(folder)), Rerank("a", ("b",)))


@pytest.mark.parametrize("change", [{"hidden_size": 64}, {"model_type": "made-up"}, {"num_attention_heads": "many"}])
def test_a_config_that_makes_no_such_network(folder, change):
    edit(folder, **change)
    with pytest.raises(ConfigError, match=r"fetch it again"):
        ask(plugin.open_ranker(str(folder)), Rerank("a", ("b",)))


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("model.safetensors", b"\x99" * 64, "damaged"),
        ("config.json", b"{", "no JSON"),
        ("config.json", b"[1]", "no JSON table"),
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
    tokenizer.add_tokens([f"word{n}" for n in range(200)])
    tokenizer.save(str(folder / "tokenizer.json"))
    with pytest.raises(ConfigError, match="two checkpoints"):
        plugin.open_ranker(str(folder))


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(plugin, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"ragctx\[local\]"):
        plugin.open_ranker("any")
