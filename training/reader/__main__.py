"""`python -m training.reader --data DATA --encoder FOLDER --out OUT`: from a data folder to trained weights."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch

from ragctx.corpus.chunking import Chunking
from ragctx.corpus.chunks import cut
from training.reader.cloze import questions
from training.reader.examples import Example, Passage
from training.reader.features import opened
from training.reader.loop import Trainer
from training.reader.model import Reader
from training.reader.negatives import mine, pool
from training.reader.schedule import Epoch, Plan
from training.reader.sets import read
from training.reader.teacher import Embedder, vectors

SHORT = Chunking(words=80)


def main() -> None:
    """Prepare, train, and store the averaged weights."""
    options = arguments()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    examples = [example for example in mine(read(options.data)) if example.part == "train"]
    tokenizer = opened(str(options.encoder / "tokenizer.json"))
    embedder = Embedder(str(options.encoder / "tokenizer.json"))
    reader = Reader.over(options.encoder)
    passages = pool(examples)
    texts = list(dict.fromkeys([e.question for e in examples] + [p.text for p in passages]))
    teacher = vectors(reader, embedder, texts, options.out / "teacher.npy")
    made_up = list(questions(shortened(passages), options.cloze, options.seed)) if options.cloze else []
    epochs = [Epoch("cloze", made_up)] * bool(made_up) + [Epoch(f"real-{n}", examples) for n in range(options.epochs)]
    plan = Plan(epochs, options.seed)
    describe(options, examples, made_up, plan)
    trained = Trainer(reader, tokenizer, embedder, teacher, plan, options.out).run()
    torch.save(trained.state_dict(), options.out / "reader.pt")


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m training.reader", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of data sets")
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the encoder to begin with")
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoint, log and weights")
    parser.add_argument("--epochs", type=int, default=4, help="passes over the real questions")
    parser.add_argument("--cloze", type=int, default=1, help="made-up questions for each short passage")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def shortened(passages: list[Passage]) -> list[Passage]:
    """The same texts in shorter passages, which are read in half the time."""
    return [
        replace(passage, text=passage.text[start:end])
        for passage in passages
        for start, end in cut([passage.text], SHORT)
        if end - start > 200
    ]


def describe(options: argparse.Namespace, examples: list[Example], made_up: list[Example], plan: Plan) -> None:
    """Store what this run is."""
    run = {key: str(value) for key, value in vars(options).items() if key not in {"data", "encoder", "out"}}
    run |= {"questions": str(len(examples)), "made up": str(len(made_up)), "steps": str(plan.steps())}
    (options.out / "run.json").write_text(json.dumps(run, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
