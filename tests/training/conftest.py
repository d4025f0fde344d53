"""A small made-up data folder, a tiny encoder with a vocabulary of its words, and a short plan to train by."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # `training` is no installed package
pytest.importorskip("torch", reason="needs the extra local")
pytest.importorskip("transformers", reason="needs the extra local")

FIRST = ["Adan", "Bela", "Cormac", "Dilys", "Enzo", "Freya", "Goran", "Hilde", "Ivo", "Jory"]
LAST = ["Roke", "Sand", "Tarn", "Ulm", "Vane", "Wick", "Yarrow", "Zell"]
START = ["Vel", "Tor", "Has", "Bren", "Kil", "Mar", "Ost", "Pel", "Rud", "Sar", "Ul", "Wen"]
END = ["burg", "dale", "ford", "mouth", "stad", "wick"]
THINGS = ["Sarn", "Lorr", "Meke", "Nidda", "Orbe", "Pruth", "Quill", "Reuss"]


def article(town: str, chance: random.Random) -> tuple[str, list[tuple[str, str]]]:
    """A text on a town, and questions with the answers that it gives."""
    mayor = f"{chance.choice(FIRST)} {chance.choice(LAST)}"
    river, height, year = chance.choice(THINGS), str(chance.randint(20, 90)), str(chance.randint(1200, 1990))
    said = [
        (f"The mayor of {town} is {mayor}.", f"Who is the mayor of {town}?", mayor),
        (f"The town of {town} lies on the river {river}.", f"On which river does {town} lie?", river),
        (f"The tower of {town} is {height} metres high.", f"How many metres high is the tower of {town}?", height),
        (f"The bridge of {town} was built in {year}.", f"When was the bridge of {town} built?", year),
    ]
    chance.shuffle(said)
    text = " ".join(sentence for sentence, _, _ in said)
    market = "Every week farmers from the villages around bring cheese, wool and apples to its market square."
    return f"{text} {market}", [(question, answer) for _, question, answer in said]


def rows(count: int, seed: int) -> list[dict[str, object]]:
    """Rows of a data set in the form of `normalized.jsonl`: four questions on each of some towns."""
    chance = random.Random(seed)
    made: list[dict[str, object]] = []
    for town in [f"{start}{end}" for start in START for end in END][:count]:
        text, asked = article(town, chance)
        for question, answer in asked:
            start = text.index(answer)
            made.append(
                {
                    "id": f"town-{len(made)}",
                    "question": question,
                    "answers": [answer],
                    "contexts": [{"title": town, "text": text}],
                    "evidence": [{"context": 0, "start": start, "end": start + len(answer)}],
                    "group": town,
                }
            )
    return made


def words(made: list[dict[str, object]]) -> list[str]:
    import re

    return sorted({word for row in made for word in re.findall(r"\w+|[^\w\s]", json.dumps(row).lower())})


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with one set."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "squadshifts_new_wiki").mkdir()
    lines = "".join(json.dumps(row) + "\n" for row in rows(72, seed=1))
    (folder / "squadshifts_new_wiki" / "normalized.jsonl").write_text(lines, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in transformers layout: two narrow random layers, and a word-piece tokenizer of the set's words."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("encoder")
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)] + list("0123456789")
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = [*special, *dict.fromkeys([*letters, *(f"##{x}" for x in letters), *words(rows(72, seed=1))])]
    ids = {token: number for number, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    tokenizer.add_special_tokens(special)
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(ids), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.fixture
def trainer(data: Path, encoder: Path) -> Callable[..., object]:
    """Makes a trainer over a folder: `trainer(out, seed=..., epochs=...)`, its reader drawn anew from the seed."""
    import torch

    from training.reader.features import opened
    from training.reader.loop import Rates, Trainer
    from training.reader.model import Reader
    from training.reader.negatives import mine
    from training.reader.schedule import Epoch, Plan
    from training.reader.sets import read
    from training.reader.teacher import Embedder, embed

    torch.set_num_threads(1)
    examples = [example for example in mine(read(data)) if example.part == "train"]

    def made(out: Path, *, seed: int = 0, epochs: int = 1, limit: int = 0, encoder_rate: float = 2e-3) -> Trainer:
        torch.manual_seed(seed)
        reader = Reader.tiny(encoder)
        embedder = Embedder(str(encoder / "tokenizer.json"))
        asked = [example.question for example in examples]
        teacher = dict(zip(asked, embed(reader, embedder, asked), strict=True))
        plan = Plan([Epoch(f"real-{n}", examples[: limit or None]) for n in range(epochs)], seed, window=4)
        rates = Rates(encoder=encoder_rate, heads=5e-3, average=max(0.0, 1 - 10 / plan.steps()))
        tokenizer = opened(str(encoder / "tokenizer.json"))
        return Trainer(reader, tokenizer, embedder, teacher, plan, out, rates)

    return made
