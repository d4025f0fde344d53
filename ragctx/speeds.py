"""How fast models run on this machine, kept from one process to the next so that plans know seconds."""

from __future__ import annotations

import json

from ragctx.corpus.files import write_whole
from ragctx.folders import cache_folder, cache_path
from ragctx.types import Speed


def known(key: str) -> Speed | None:
    """The speed measured earlier under this key; None where there is none.

    Args:
        key: the model's identity with whatever else its speed depends on.
    """
    path = cache_path("speed") / _name(key)
    try:
        stored = json.loads(path.read_text("utf-8"))
        return Speed(float(stored["prompt"]), float(stored["output"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):  # half-written or by another version: measured again, then replaced
        return None


def keep(key: str, speed: Speed) -> None:
    """Store a measured speed."""
    told = {"prompt": round(speed.prompt, 2), "output": round(speed.output, 2)}
    write_whole(cache_folder("speed") / _name(key), json.dumps(told).encode())


def _name(key: str) -> str:
    return f"{key.replace(':', '-').replace('/', '-')}.json"
