"""What a model will take of the machine's memory, told from its files before anything is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from ragctx.errors import LimitError

PAGE = 128
"""Tokens of a page of keys and values."""

BYTES = {"float32": 4, "bfloat16": 2}
BASE = 1 << 30  # what vLLM and torch take before any weights
_GIB = 1 << 30


class DoesNotHold(LimitError):
    """A model, its keys and its values are more than the memory that is free; the message has the numbers."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes of a model.

    Attributes:
        weights: of all parameters. token: of one token's keys and values in all layers.
        vocabulary: tokens it knows, which decides what scoring takes.

    Example:
        >>> config = {"num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2, "hidden_size": 896}
        >>> Footprint.of(config, 10**9, "bfloat16").token
        12288
    """

    weights: int
    token: int
    vocabulary: int

    @classmethod
    def of(cls, config: Mapping[str, Any], parameters: int, dtype: str) -> Footprint:
        """From a checkpoint's configuration.

        Args:
            config: as in `config.json`.
            parameters: how many numbers the weights are.
            dtype: what they are loaded as.
        """
        text = config.get("text_config") or config
        heads = text["num_attention_heads"]
        width = text.get("head_dim") or text["hidden_size"] // heads
        values = 2 * (text.get("num_key_value_heads") or heads) * width
        if rank := text.get("kv_lora_rank"):  # latent attention keeps one joint vector instead
            values = rank + (text.get("qk_rope_head_dim") or 0)
        size = BYTES[dtype]
        return cls(parameters * size, text["num_hidden_layers"] * values * size, text.get("vocab_size") or 0)

    @classmethod
    def read(cls, folder: Path, dtype: str) -> Footprint:
        """Of a checkpoint folder."""
        config = json.loads((folder / "config.json").read_text("utf-8"))
        return cls.of(config, parameters(folder), dtype)

    def scoring(self, tokens: int) -> int:
        """Bytes that the guesses over the vocabulary take while a piece of a text is scored."""
        return 10 * tokens * self.vocabulary  # logits as computed, in float32, and their logarithms

    def keys(self, window: int, memory: int, free: int, name: str) -> int:
        """How many bytes of keys and values to set aside.

        Args:
            window: tokens that one request may have.
            memory: what the user gives them; 0 leaves it to us: two windows, or one where two do not fit.
            free: bytes of memory that nobody uses.
            name: of the model, for the message.

        Raises:
            DoesNotHold: not even one window fits; the message tells the longest that does.
        """
        least = self._pages(window)
        room = free - self.weights - BASE
        wanted = memory or max(least, min(2 * least, room // 2))
        if wanted >= least and wanted <= room:
            return wanted
        held = memory if memory and memory < least else room
        fits = max(0, held // self.token // PAGE - 1) * PAGE
        raise DoesNotHold(
            f"{name} needs {_told(least)} for the keys and values of {window:,} tokens ({self.token:,} bytes a token), "
            f"{_told(self.weights)} for its weights and {_told(BASE)} to run: "
            f"{_told(memory) + ' were given to keys and values' if memory else _told(free) + ' are free'}; "
            + (f"set window={fits}" if fits >= PAGE else "free some memory or take a smaller model")
            + (f" or memory={least}" if memory and memory < least <= room else "")
        )

    def _pages(self, window: int) -> int:
        return (-(-window // PAGE) + 1) * PAGE * self.token  # one page is vLLM's own


def parameters(folder: Path) -> int:
    """How many numbers a checkpoint's weights are, from the heads of its files."""
    heads = [_head(path) for path in sorted(folder.glob("*.safetensors"))]
    if not heads:
        return sum(path.stat().st_size for path in folder.glob("*.bin")) // 2
    return sum(prod(entry["shape"]) for head in heads for name, entry in head.items() if name != "__metadata__")


def _head(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        return dict(json.loads(file.read(size)))


def free() -> int:
    """Bytes of memory that a new process may take: what the machine has available, within a container's limit."""
    return min([_meminfo(), *_within(Path("/sys/fs/cgroup"))])


def _within(folder: Path) -> list[int]:
    """What a container's limit leaves, where there is one. Files that were read and may be dropped take nothing."""
    try:
        limit = int((folder / "memory.max").read_text())
        used = int((folder / "memory.current").read_text())
        told = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # "max" is no limit
        return []
    return [max(0, limit - used + int(told.get("inactive_file", 0)))]


def _meminfo() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) << 10
    return 0


def _told(size: int) -> str:
    return f"{size / _GIB:.2f} GiB"
