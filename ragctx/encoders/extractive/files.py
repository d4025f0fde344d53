"""The files of a reading model, and whether they are what its card says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ragctx.encoders.extractive.calibration import Calibration
from ragctx.errors import ConfigError, StoreCorrupt

PACKAGED = Path(__file__).parent / "weights"
MODEL, TOKENIZER, CARD = "reader.onnx", "tokenizer.json", "card.json"
_REINSTALL = "install the package again: pip install --force-reinstall --no-deps ragctx"
_NO_CARD = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
_SHORTEST = 256
"""The least tokens of a pass: the longest question and title must leave more than what two windows share."""


@dataclass(frozen=True, slots=True)
class Card:
    """What a model says of itself.

    Attributes:
        sha256: of the weights. tokenizer: of the vocabulary's file; empty where the card does not say.
        width: numbers of an embedding. longest: tokens of a pass.
        digest: of the card itself, since its calibration decides replies too.
    """

    name: str
    version: str
    sha256: str
    width: int
    longest: int
    calibration: Calibration
    digest: str
    tokenizer: str = ""


@dataclass(frozen=True, slots=True)
class Weights:
    """One model's folder and its card.

    Attributes:
        remedy: what to do about a file that is not as it should be.
    """

    folder: Path
    card: Card
    remedy: str

    @property
    def model(self) -> Path:
        """The graph and its weights."""
        return self.folder / MODEL

    @property
    def tokenizer(self) -> Path:
        """The vocabulary."""
        return self.folder / TOKENIZER

    @property
    def identity(self) -> str:
        """Two models of one identity give the same replies."""
        return f"{self.card.name}:{self.card.sha256[:16]}:{self.card.digest[:8]}"

    def broken(self, why: str) -> StoreCorrupt:
        """The error that says what is wrong with these files."""
        return StoreCorrupt(f"the reading model in {self.folder} cannot be used: {why}; {self.remedy}")


def find(model: str = "") -> Weights:
    """The model of a folder, or the packaged one; its checksum is computed once a process.

    Raises:
        ConfigError: there is no such folder.
        StoreCorrupt: a file is missing, or not what the card says.
    """
    folder = Path(model).expanduser() if model else PACKAGED
    if not folder.is_dir() and model:
        raise ConfigError(f"{model} is no folder: give one with {MODEL}, {TOKENIZER} and {CARD}, or none")
    remedy = _REINSTALL if folder == PACKAGED else "export it again, or name no folder to use the packaged model"
    lacking = [name for name in (CARD, MODEL, TOKENIZER) if not (folder / name).is_file()]
    if lacking:
        raise StoreCorrupt(f"the reading model in {folder} lacks {' and '.join(lacking)}: {remedy}")
    try:
        card = parsed((folder / CARD).read_bytes())
    except _NO_CARD as error:
        raise StoreCorrupt(f"{folder / CARD} is no card of a reading model ({error!r}): {remedy}") from error
    weights = Weights(folder, card, remedy)
    for file, said in ((weights.model, card.sha256), (weights.tokenizer, card.tokenizer)):
        if said and _checksum(file, *_state(file)) != said:
            raise weights.broken(f"{file.name} is not the file that {CARD} describes (its checksum is another)")
    return weights


def parsed(text: bytes) -> Card:
    """The card in a file.

    Raises:
        ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError: it is none.
    """
    table: dict[str, Any] = json.loads(text)
    width, longest = int(table["width"]), int(table["longest"])
    if width < 1 or longest < _SHORTEST:
        raise ValueError(f"width {width}, longest {longest}: needs at least 1 and {_SHORTEST}")
    calibration = Calibration.parsed(table["calibration"])
    name, version, sha256 = (str(table[key]) for key in ("name", "version", "sha256"))
    if not sha256:
        raise ValueError("it says no sha256")
    digest, tokenizer = hashlib.sha256(text).hexdigest(), str(table.get("tokenizer_sha256", ""))
    return Card(name, version, sha256, width, longest, calibration, digest, tokenizer)


def _state(file: Path) -> tuple[int, int]:
    state = file.stat()
    return state.st_size, state.st_mtime_ns


@cache
def _checksum(file: Path, size: int, changed: int) -> str:
    """SHA-256 of a file as it is now; size and time of change tell a replaced file from the one that was read."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
