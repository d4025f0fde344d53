"""How fast a checkpoint runs on this machine, from one tiny run; `ragctx.speeds` keeps it for later plans."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ragctx.types import Speed

if TYPE_CHECKING:
    from ragctx.readers.local_model import LocalModel


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
