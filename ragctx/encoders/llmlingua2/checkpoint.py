"""Finds an LLMLingua-2 checkpoint, and tells from its files what it is before any weight is read.

Two are published (Pan et al., Findings of ACL 2024, arXiv:2403.12968; MIT), on XLM-RoBERTa and on multilingual BERT.
Nothing here depends on their names: any token classifier with two labels will do, whatever its folder is called.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragctx.errors import ConfigError

_HINT = "give a folder or hub name of an LLMLingua-2 checkpoint, e.g. {!r}".format(
    "microsoft/llmlingua-2-bert-base-multilingual-cased-meetingbank"
)
_FILES = ["*.json", "*.safetensors"]
_LABELS = 2
_LONGEST, _LEAST = 512, 16
# Backbones that count positions from the padding's number on, so that fewer are left for tokens.
_OFFSET = frozenset({"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert"})


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint's files say.

    Attributes:
        folder: where it lies. longest: tokens of a window, the special ones included.
        vocabulary: tokens that the weights know. identity: digest of all its files.
    """

    folder: Path
    longest: int
    vocabulary: int
    identity: str


def find(model: str, longest: int | None = None) -> Checkpoint:
    """The checkpoint of a folder or hub name.

    Raises:
        ConfigError: nothing of that name is here or on the hub, or it is another kind of model.
    """
    folder = _folder(model)
    config = table(folder / "config.json")
    weights = tuple(sorted(folder.glob("*.safetensors")))
    if not config or not weights:
        lacks = "safetensors weights (pickled ones are not read)" if config else "config.json"
        raise ConfigError(f"{model} has no {lacks}: {_HINT}")
    labels = _labels(weights)
    if labels != _LABELS:
        found = f"tells {labels} labels" if labels else "has no head that labels tokens"
        raise ConfigError(f"{model} {found}, not words to keep from words to drop: {_HINT}")
    return Checkpoint(folder, _longest(config, longest), int(config.get("vocab_size") or 0), _identity(folder))


def table(path: Path) -> dict[str, Any]:
    """A JSON file's table; empty where there is no file.

    Raises:
        ConfigError: it is not JSON.
    """
    try:
        return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}
    except (ValueError, TypeError) as broken:
        raise ConfigError(f"{path} is no JSON table ({broken}): fetch the checkpoint again") from broken


def _folder(model: str) -> Path:
    if not model:
        raise ConfigError(f"no checkpoint named: {_HINT}")
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if model.startswith((".", "/", "~")):
        raise ConfigError(f"no folder at {model}: {_HINT}")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    offline = os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}
    try:
        return Path(snapshot_download(model, local_files_only=offline, allow_patterns=_FILES))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        where = "in the local hub cache, and HF_HUB_OFFLINE is set" if offline else "on the hub, or it is out of reach"
        raise ConfigError(f"{model!r} is no folder and not {where}: {_HINT}") from error


def _labels(weights: tuple[Path, ...]) -> int:
    """How many labels the head tells, from the files' headers alone; 0 where there is no head."""
    from safetensors import SafetensorError, safe_open

    for path in weights:
        try:
            with safe_open(path, framework="numpy") as file:
                if "classifier.weight" in set(file.keys()):
                    return int(file.get_slice("classifier.weight").get_shape()[0])
        except (SafetensorError, OSError) as broken:
            raise ConfigError(f"{path} is damaged ({broken}): fetch the checkpoint again") from broken
    return 0


def _longest(config: Mapping[str, Any], wanted: int | None) -> int:
    """Tokens of a window: what is wanted, or was trained with, as far as the positions reach."""
    if wanted is not None and wanted < _LEAST:
        raise ConfigError(f"longest={wanted} leaves no room for a text: give at least {_LEAST}")
    reach = int(config.get("max_position_embeddings") or _LONGEST)
    if config.get("model_type") in _OFFSET:
        reach -= int(config.get("pad_token_id") or 0) + 1
    return min(reach, wanted or _LONGEST)


def _identity(folder: Path) -> str:
    """One hash over weights and settings: equal checkpoints share replies wherever they lie."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in _FILES for path in folder.glob(pattern)):
        digest.update(path.name.encode())
        with path.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()[:16]
