"""`python -m training.reader --data DATA --encoder FOLDER --out OUT`: from data sets to the files that ragctx ships."""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ragctx.corpus.chunking import Chunking
from ragctx.corpus.chunks import cut
from ragctx.errors import ConfigError
from training.reader.cloze import questions
from training.reader.examples import Example, Passage
from training.reader.features import opened
from training.reader.loop import Rates, Trainer
from training.reader.model import Reader
from training.reader.negatives import mine, pool, unpaired
from training.reader.package import package
from training.reader.schedule import Epoch, Plan
from training.reader.sets import read
from training.reader.teacher import Embedder, vectors

SHORT = Chunking(words=80)
SMALL = {"limit": 300, "epochs": 2, "cloze": 0}
"""What `--small` stands for: under five minutes on two cores."""


def main(said: Sequence[str] | None = None) -> None:
    """Prepare, train, store the averaged weights, and make the product's files of them.

    Args:
        said: the command line; that of the process by default.

    Raises:
        ConfigError: the folder holds a run with other settings, or there is nothing to train on.
    """
    options = arguments(said)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    examples = chosen(options)
    tokenizer = opened(str(options.encoder / "tokenizer.json"))
    embedder = Embedder(str(options.encoder / "tokenizer.json"))
    reader = Reader.over(options.encoder)
    passages = pool(examples)
    plan = planned(options, examples, passages)
    describe(options, plan)
    texts = list(dict.fromkeys([e.question for e in examples] + [p.text for p in passages]))
    teacher = vectors(reader, embedder, texts, options.out / "teacher.npy")
    if options.start:  # after the teacher, which is the encoder as it was
        reader.load_state_dict(torch.load(options.start, weights_only=True)["reader"])
    trained = Trainer(reader, tokenizer, embedder, teacher, plan, options.out, Rates.over(plan.steps())).run()
    torch.save(trained.state_dict(), options.out / "reader.pt")
    run = json.loads((options.out / "run.json").read_text(encoding="utf-8"))
    package(trained, options.encoder / "tokenizer.json", options.data, options.out, run)


def arguments(said: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line says; `--small` stands for the settings in `SMALL`."""
    parser = argparse.ArgumentParser(prog="python -m training.reader", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of data sets")
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the encoder to begin with")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint, log and weights")
    parser.add_argument("--start", type=Path, help="checkpoint of an earlier run whose weights to begin with")
    parser.add_argument("--epochs", type=int, default=4, help="passes over the real questions")
    parser.add_argument("--cloze", type=int, default=1, help="made-up questions for each short passage")
    parser.add_argument("--limit", type=int, default=0, help="train on a sample of so many questions; 0 is all")
    parser.add_argument("--small", action="store_true", help=f"a trial of a few minutes: {SMALL}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(said)
    if options.small:
        vars(options).update(SMALL)
    return options


def chosen(options: argparse.Namespace) -> list[Example]:
    """The questions of the training part, or a sample of them, with their hard negatives.

    Raises:
        ConfigError: the data folder holds none.
    """
    every = [example for example in mine(read(options.data)) if example.part == "train"]
    if not every:
        raise ConfigError(f"no question to train on in {options.data}: it needs SET/normalized.jsonl (see sets.py)")
    if not 0 < options.limit < len(every):
        return every
    return random.Random(options.seed).sample(every, options.limit)


def planned(options: argparse.Namespace, examples: list[Example], passages: list[Passage]) -> Plan:
    """An epoch of made-up questions, if any are wanted, then the epochs of real ones."""
    made_up = list(questions(shortened(passages), options.cloze, options.seed)) if options.cloze else []
    real = unpaired(examples)
    epochs = [Epoch("cloze", made_up)] * bool(made_up) + [Epoch(f"real-{n}", real) for n in range(options.epochs)]
    return Plan(epochs, options.seed)


def shortened(passages: list[Passage]) -> list[Passage]:
    """The same texts in shorter passages, which are read in half the time."""
    return [
        replace(passage, text=passage.text[start:end])
        for passage in passages
        for start, end in cut([passage.text], SHORT)
        if end - start > 200
    ]


def describe(options: argparse.Namespace, plan: Plan) -> None:
    """Store what this run is.

    Raises:
        ConfigError: the folder holds another run, which this one would go on with as if it were its own.
    """
    sizes = {epoch.name.split("-")[0]: len(epoch.examples) for epoch in plan.epochs}
    run = {key: str(vars(options)[key]) for key in ("epochs", "cloze", "seed", "threads")}
    run |= {"questions": str(sizes.get("real", 0)), "made up": str(sizes.get("cloze", 0)), "steps": str(plan.steps())}
    file = options.out / "run.json"
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    other = [key for key in before if key != "threads" and before[key] != run.get(key)]
    if other:
        told = ", ".join(f"{key} {before[key]} (now {run.get(key)})" for key in other)
        raise ConfigError(f"{options.out} holds a run with other settings: {told}; name a new --out, or remove it")
    file.write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
