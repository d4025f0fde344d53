"""How fast vLLM runs a checkpoint on this machine, from one tiny run; `ragctx.speeds` keeps it for later plans."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ragctx.types import Speed

if TYPE_CHECKING:
    from ragctx.readers.vllm_engine import Engine


def measure(engine: Engine, window: int, prompt: int = 256, output: int = 8) -> Speed:
    """Tokens a second reading and writing, from one tiny run after a tinier one that brings the weights into memory."""
    prompt = min(prompt, window - output)
    _run(engine, min(32, prompt), 2)
    return _run(engine, prompt, output)


def _run(engine: Engine, prompt: int, output: int) -> Speed:
    import numpy as np

    from ragctx.readers.text_stream import TextStream
    from ragctx.readers.writing import Writing
    from ragctx.work import Sampling

    marks: list[float] = []

    def decode(_ids: object) -> str:
        marks.append(time.perf_counter())
        return "x" * len(marks)

    tokens = np.resize(np.arange(3, 67, dtype=np.int32), prompt)
    sampling = Sampling(max_tokens=output, ignore_end=True)
    writing = Writing(tokens, sampling, TextStream(decode), lambda text: None, frozenset(), loops=True)
    started = time.perf_counter()
    engine.write({0: writing}, cached=False)
    return Speed(prompt / (marks[0] - started), (output - 1) / max(marks[output - 1] - marks[0], 1e-6))
