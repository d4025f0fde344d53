"""How fast models run on this machine, kept from one process to the next so that plans know seconds."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ragctx.folders import cache_folder
from ragctx.types import Speed


def known(key: str) -> Speed | None:
    """The speed measured earlier under this key; None where there is none.

    Args:
        key: the model's identity with whatever else its speed depends on.
    """
    path = _path(key)
    try:
        stored = json.loads(path.read_text("utf-8"))
        return Speed(float(stored["prompt"]), float(stored["output"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):  # half-written or by another version: measured again, then replaced
        return None


def keep(key: str, speed: Speed) -> None:
    """Store a measured speed."""
    path = _path(key)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with open(temporary, "w", encoding="utf-8", opener=_private) as file:
        json.dump({"prompt": round(speed.prompt, 2), "output": round(speed.output, 2)}, file)
    temporary.replace(path)


def _path(key: str) -> Path:
    return cache_folder("speed") / f"{key.replace(':', '-').replace('/', '-')}.json"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
