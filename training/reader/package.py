"""The last stage: trained weights become the files that the product reads.

    python -m training.reader.package --data DATA --encoder ENCODER --out OUT [--runs RUN.json ...]

makes them anew of `OUT/reader.pt`; `--runs` tells what the training was, one run a file and the first one first, where
`OUT/runs.json` does not.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from ragctx.errors import ConfigError
from training.reader import export, scores
from training.reader.calibrate import calibrated
from training.reader.card import LIMITS, described
from training.reader.examples import Example, sample
from training.reader.features import LONGEST, opened
from training.reader.model import Reader
from training.reader.negatives import mine, unpaired
from training.reader.sets import SOURCES, read

NAME = "extractive"
VERSION = "2"
LICENCE = "Apache-2.0"
ENCODER = "all-MiniLM-L6-v2 (Apache-2.0), which was itself trained on a billion public pairs, MS MARCO among them"
MEASURED = 400
"""Questions of the dev part that probabilities are fitted on and the card's figures are taken from."""


def package(reader: Reader, tokenizer: Path, data: Path, out: Path, runs: Sequence[Mapping[str, str]]) -> Path:
    """Calibrate, export and describe a reader.

    Args:
        reader: trained.
        tokenizer: its `tokenizer.json`.
        data: folder of data sets; only the dev part is looked at.
        out: folder to make `weights/` in, and `full.onnx` beside it.
        runs: what the training was, for the card: every run that these weights have been through, the first one first.

    Returns:
        The folder with `reader.onnx`, `tokenizer.json` and `card.json`.
    """
    weights = out / "weights"
    weights.mkdir(parents=True, exist_ok=True)
    export.full(reader, out / "full.onnx")
    export.int8(out / "full.onnx", weights / "reader.onnx")
    written = _tokenizer(tokenizer, weights / "tokenizer.json")
    dev = sample(unpaired(e for e in mine(read(data)) if e.part == "dev"), MEASURED)
    look = scores.looker(reader, opened(str(written)))
    card = {
        "name": NAME,
        "version": VERSION,
        "made": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "sha256": hashlib.sha256((weights / "reader.onnx").read_bytes()).hexdigest(),
        "tokenizer_sha256": hashlib.sha256(written.read_bytes()).hexdigest(),
        "width": reader.encoder.config.hidden_size,
        "longest": LONGEST,
        "calibration": calibrated(dev, look),
        "licence": LICENCE,
        "encoder": ENCODER,
        "trained_on": [source.name for source in SOURCES if source.trained],
        "limits": list(LIMITS),
        "runs": list(map(dict, runs)),
        "dev": measured(dev, look),
    }
    (weights / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    (weights / "MODEL_CARD.md").write_text(described(card), encoding="utf-8")
    return weights


def measured(examples: Sequence[Example], look: scores.Look) -> dict[str, dict[str, float]]:
    """What the model can do on questions that it was not trained on."""
    found = {
        "reading": scores.reading(examples, look),
        "ranking": scores.ranking(examples, look),
        "keeping": scores.keeping(examples, look),
    }
    return {name: {key: round(value, 4) for key, value in figures.items()} for name, figures in found.items()}


def _tokenizer(source: Path, file: Path) -> Path:
    """The vocabulary without rules for cutting and padding: the product does both itself."""
    table = json.loads(source.read_text(encoding="utf-8"))
    table["truncation"] = table["padding"] = None
    file.write_text(json.dumps(table, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    return file


def main(said: Sequence[str] | None = None) -> None:
    """Package the weights of a run that is through.

    Raises:
        ConfigError: nobody tells what the training was.
    """
    parser = argparse.ArgumentParser(prog="python -m training.reader.package", description=__doc__)
    for name in ("data", "encoder", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--runs", type=Path, nargs="+", help="files of one JSON object each, of strings")
    options = parser.parse_args(said)
    reader = Reader.over(options.encoder)
    reader.load_state_dict(torch.load(options.out / "reader.pt", weights_only=True))
    package(reader, options.encoder / "tokenizer.json", options.data, options.out, _runs(options.runs, options.out))


def _runs(files: Sequence[Path] | None, out: Path) -> list[dict[str, str]]:
    told = files or [out / "runs.json"]
    if missing := [str(file) for file in told if not file.exists()]:
        raise ConfigError(f"what was the training? {', '.join(missing)} is not there: name its runs with --runs")
    read_ = [json.loads(file.read_text(encoding="utf-8")) for file in told]
    return [run for one in read_ for run in (one if isinstance(one, list) else [one])]


if __name__ == "__main__":
    main()
