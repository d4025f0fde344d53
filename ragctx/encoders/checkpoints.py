"""Files of a published checkpoint: where they lie, what their headers tell, and a digest; no weight is read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragctx.errors import ConfigError

_FILES = ("*.json", "*.safetensors")


@dataclass(frozen=True, slots=True)
class Files:
    """A folder with a configuration and safetensors weights.

    Attributes:
        config: the table of config.json. weights: the files.
    """

    folder: Path
    config: dict[str, Any]
    weights: tuple[Path, ...]

    @classmethod
    def of(cls, model: str, hint: str) -> Files:
        """Those of a folder or hub name.

        Args:
            model: the name.
            hint: what to name instead, the end of every error.

        Raises:
            ConfigError: nothing of that name is here or on the hub, or it lacks one of the two.
        """
        folder = _folder(model, hint)
        config = table(folder / "config.json")
        weights = tuple(sorted(folder.glob("*.safetensors")))
        if not config or not weights:
            lacks = "safetensors weights (pickled ones are not read)" if config else "config.json"
            raise ConfigError(f"{model} has no {lacks}: {hint}")
        return cls(folder, config, weights)

    def shapes(self) -> dict[str, list[int]]:
        """Names and shapes of all tensors, from the files' headers alone.

        Raises:
            ConfigError: a file is damaged.
        """
        from safetensors import SafetensorError, safe_open

        shapes: dict[str, list[int]] = {}
        for path in self.weights:
            try:
                with safe_open(path, framework="numpy") as file:
                    shapes |= {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            except (SafetensorError, OSError) as broken:
                raise ConfigError(f"{path} is damaged ({broken}): fetch the checkpoint again") from broken
        return shapes

    def identity(self) -> str:
        """One hash over weights and settings: equal checkpoints share replies wherever they lie."""
        return digest(self.folder, _FILES)


def table(path: Path) -> dict[str, Any]:
    """A JSON file's table; empty where there is no file.

    Raises:
        ConfigError: it is not JSON.
    """
    try:
        return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}
    except (ValueError, TypeError, RecursionError) as broken:
        raise ConfigError(f"{path} is no JSON table ({broken}): fetch the checkpoint again") from broken


def digest(folder: Path, patterns: Iterable[str]) -> str:
    """One hash over the names and contents of a folder's files."""
    whole = hashlib.sha256()
    for file in sorted({file for pattern in patterns for file in folder.glob(pattern)}):
        whole.update(file.relative_to(folder).as_posix().encode())
        with file.open("rb") as opened:
            whole.update(hashlib.file_digest(opened, "sha256").digest())
    return whole.hexdigest()[:16]


def must_fit(name: str, lacking: Sequence[str], beyond: Sequence[str], other: Sequence[str]) -> None:
    """Refuse weights that are not those of their configuration.

    Args:
        name: of the checkpoint.
        lacking: tensors that it should have.
        beyond: tensors that it has besides.
        other: tensors of another shape.

    Raises:
        ConfigError: there are any.
    """
    said = (("it lacks", lacking), ("it has beyond that", beyond), ("of another shape are", other))
    if told := "; ".join(f"{what} {_some(keys)}" for what, keys in said if keys):
        raise ConfigError(f"the weights of {name} are not those that its config.json describes: {told}; fetch it again")


def _some(keys: Sequence[str], most: int = 3) -> str:
    """The first names, and how many more there are.

    Example:
        >>> _some(["a", "b"]), _some(["a", "b", "c", "d", "e"])
        ('a, b', 'a, b, c and 2 more')
    """
    return ", ".join(keys[:most]) + (f" and {len(keys) - most} more" if len(keys) > most else "")


def _folder(model: str, hint: str) -> Path:
    if not model:
        raise ConfigError(f"no checkpoint named: {hint}")
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if model.startswith((".", "/", "~")):
        raise ConfigError(f"no folder at {model}: {hint}")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    offline = os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}
    try:
        return Path(snapshot_download(model, local_files_only=offline, allow_patterns=list(_FILES)))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        where = "in the local hub cache, and HF_HUB_OFFLINE is set" if offline else "on the hub, or it is out of reach"
        raise ConfigError(f"{model!r} is no folder and not {where}: {hint}") from error
