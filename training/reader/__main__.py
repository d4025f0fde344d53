"""`python -m training.reader --data DATA --encoder FOLDER --out OUT`: from data sets to the files that ragctx ships."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from ragctx.corpus.chunking import Chunking
from ragctx.corpus.chunks import cut
from ragctx.errors import ConfigError
from training.reader.cloze import questions
from training.reader.examples import Example, Passage, sample
from training.reader.features import opened
from training.reader.hardest import hardest, weigher
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
    passages = pool(examples)
    if options.hardest:
        examples = hardest(unpaired(examples), weigher(options.hardest), options.out / "hardest.jsonl")
    tokenizer = opened(str(options.encoder / "tokenizer.json"))
    embedder = Embedder(str(options.encoder / "tokenizer.json"))
    reader = Reader.over(options.encoder)
    plan = planned(options, examples, passages)
    describe(options, plan)
    texts = list(dict.fromkeys([e.question for e in examples] + [p.text for p in passages]))
    teacher = vectors(reader, embedder, texts, options.out / "teacher.npy")
    if options.start:  # after the teacher, which is the encoder as it was
        reader.load_state_dict(averaged(options.start))
    trained = Trainer(reader, tokenizer, embedder, teacher, plan, options.out, Rates.over(plan.steps())).run()
    torch.save(trained.state_dict(), options.out / "reader.pt")
    runs = json.loads((options.out / "runs.json").read_text(encoding="utf-8"))
    package(trained, options.encoder / "tokenizer.json", options.data, options.out, runs)


def arguments(said: Sequence[str] | None = None) -> argparse.Namespace:
    """What the command line says; `--small` stands for the settings in `SMALL`."""
    parser = argparse.ArgumentParser(prog="python -m training.reader", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of data sets")
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the encoder to begin with")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint, log and weights")
    parser.add_argument("--start", type=Path, help="checkpoint of an earlier run whose weights to begin with")
    parser.add_argument("--epochs", type=int, default=4, help="passes over the real questions")
    parser.add_argument("--negatives", type=int, default=1, help="wrong passages for each real question and epoch")
    parser.add_argument("--hardest", type=Path, help="weights/ of an earlier run, which picks the wrong passages")
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
    return sample(every, options.limit, options.seed)


def planned(options: argparse.Namespace, examples: list[Example], passages: list[Passage]) -> Plan:
    """An epoch of made-up questions, if any are wanted, then the epochs of real ones.

    Raises:
        ConfigError: neither is wanted.
    """
    made_up = list(questions(shortened(passages), options.cloze, options.seed)) if options.cloze else []
    real = unpaired(examples)
    epochs = [Epoch("cloze", made_up)] * bool(made_up) + [
        Epoch(f"real-{n}", real, options.negatives) for n in range(options.epochs)
    ]
    if not any(epoch.examples for epoch in epochs):
        raise ConfigError("there is nothing to train on: give --epochs or --cloze at least 1")
    return Plan(epochs, options.seed)


def shortened(passages: list[Passage]) -> list[Passage]:
    """The same texts in shorter passages, which are read in half the time."""
    return [
        replace(passage, text=passage.text[start:end])
        for passage in passages
        for start, end in cut([passage.text], SHORT)
        if end - start > 200
    ]


def averaged(checkpoint: Path) -> dict[str, torch.Tensor]:
    """The averaged weights of a checkpoint."""
    state = torch.load(checkpoint, weights_only=True)["average"]
    return {name.removeprefix("module."): weight for name, weight in state.items() if name != "n_averaged"}


def describe(options: argparse.Namespace, plan: Plan) -> None:
    """Store what this run is.

    Raises:
        ConfigError: the folder holds another run, which this one would go on with as if it were its own.
    """
    sizes = {epoch.name.split("-")[0]: len(epoch.examples) for epoch in plan.epochs}
    run = {key: str(vars(options)[key]) for key in ("epochs", "negatives", "cloze", "seed", "threads")}
    run |= {"questions": str(sizes.get("real", 0)), "made up": str(sizes.get("cloze", 0)), "steps": str(plan.steps())}
    run |= {"start": _digest(options.start), "hardest": _digest(options.hardest and options.hardest / "reader.onnx")}
    file = options.out / "run.json"
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    other = [key for key in before if key != "threads" and before[key] != run.get(key)]
    if other:
        told = ", ".join(f"{key} {before[key]} (now {run.get(key)})" for key in other)
        raise ConfigError(f"{options.out} holds a run with other settings: {told}; name a new --out, or remove it")
    file.write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")
    runs = [*earlier(options.start), run]
    (options.out / "runs.json").write_text(json.dumps(runs, indent=2) + "\n", encoding="utf-8")


def earlier(start: Path | None) -> list[dict[str, str]]:
    """What the weights that a run begins with had been through: `runs.json` beside them, for the card."""
    if start is None:
        return []
    told = start.parent / "runs.json"
    if not told.exists():
        return [{"unknown": f"an earlier run, of which nothing is told beside {start.name}"}]
    runs: list[dict[str, str]] = json.loads(told.read_text(encoding="utf-8"))
    return runs


def _digest(file: Path | None) -> str:
    """The content of a file, in short; "" for none."""
    if file is None:
        return ""
    if not file.is_file():
        raise ConfigError(f"there is no {file}: name a file of an earlier run that is through")
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:12]


if __name__ == "__main__":
    main()
