"""`python -m training.reader.recipe --data DATA --encoder ENCODER --out OUT`: all stages of the shipped model."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from training.reader.__main__ import main as train
from training.reader.average import main as average

STAGES: dict[str, tuple[str, ...]] = {
    "1-made-up": ("--cloze", "1", "--epochs", "0"),
    "2-real": ("--cloze", "0", "--epochs", "1"),
    "3-hardest": ("--cloze", "0", "--epochs", "1", "--negatives", "2"),
    "4-hardest": ("--cloze", "0", "--epochs", "1", "--negatives", "2"),
}
"""Made-up questions; real ones with wrong passages by words; real ones with those that the model fell for, twice."""
MEAN = "5-mean"
"""The mean of the last two stages' weights, which is what is shipped."""


def main(said: Sequence[str] | None = None) -> None:
    """Every stage in a folder of its own, each from the weights of the one before; the last two are averaged.

    Run again after a kill, it goes on where it was: a stage that has its files is through.
    """
    parser = argparse.ArgumentParser(prog="python -m training.reader.recipe", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of data sets")
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the encoder to begin with")
    parser.add_argument("--out", type=Path, required=True, help="folder of the stages and of weights/")
    parser.add_argument("--limit", default="0", help="train on a sample of so many questions; 0 is all")
    parser.add_argument("--seed", default="0")
    parser.add_argument("--threads", default="2")
    options = parser.parse_args(said)
    given = [part for name, value in vars(options).items() if name != "out" for part in (f"--{name}", str(value))]
    for name in STAGES:
        if not (options.out / name / "weights" / "card.json").exists():
            train([*given, *stage(options.out, name)])
    last = [str(options.out / name) for name in list(STAGES)[-2:]]
    if not (options.out / MEAN / "weights" / "card.json").exists():
        where = ("--data", str(options.data), "--encoder", str(options.encoder), "--out", str(options.out / MEAN))
        average([*where, *last])
    shutil.copytree(options.out / MEAN / "weights", options.out / "weights", dirs_exist_ok=True)
    shutil.copy(options.out / MEAN / "full.onnx", options.out)


def stage(out: Path, name: str) -> list[str]:
    """What a stage's command says beside data and encoder."""
    names = list(STAGES)
    told = ["--out", str(out / name), *STAGES[name]]
    if before := names[: names.index(name)]:
        told += ["--start", str(out / before[-1] / "checkpoint.pt")]
    if name.endswith("hardest"):
        told += ["--hardest", str(out / before[-1] / "weights")]
    return told


if __name__ == "__main__":
    main()
