"""How fast a checkpoint runs on this machine: measured once by a tiny run, kept for later plans."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ragctx.folders import cache_folder
from ragctx.types import Speed

if TYPE_CHECKING:
    from ragctx.readers.local_model import LocalModel


def _path(key: str) -> Path:
    return cache_folder("speed") / f"{key.replace(':', '-').replace('/', '-')}.json"


def known(key: str) -> Speed | None:
    """The speed measured earlier under this key; None where there is none."""
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


def measure(model: LocalModel, prompt: int = 256, output: int = 8) -> Speed:
    """Tokens a second reading and writing, from one tiny run after a tinier one that brings the weights into memory."""
    _run(model, 32, 2)
    return _run(model, prompt, output)


def _run(model: LocalModel, prompt: int, output: int) -> Speed:
    import numpy as np

    from ragctx.readers.decoding import Continuation, Decoding
    from ragctx.readers.prefix import PrefixStore
    from ragctx.readers.sampling import Picker
    from ragctx.work import Sampling

    marks: list[float] = []

    def take(_token: int, _logprob: float) -> bool:
        marks.append(time.perf_counter())
        return len(marks) < output

    tokens = np.resize(np.arange(3, 67, dtype=np.int32), prompt)
    member = Continuation(tokens, output, Picker(Sampling()), take)
    started = time.perf_counter()
    Decoding(model, PrefixStore(0), [member], shared=0, chunk=prompt).run()
    return Speed(prompt / (marks[0] - started), (output - 1) / (marks[-1] - marks[0]))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
