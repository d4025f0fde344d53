"""Log-probabilities of given text, the beginning shared with earlier requests computed once.

This module imports torch; it is imported at the first request, never before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from ragctx.readers.flat_attention import FlatCache, Layers, Part
from ragctx.readers.prefix import PrefixStore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ragctx.readers.local_model import LocalModel


def score(
    model: LocalModel, store: PrefixStore[Layers], tokens: NDArray[np.int32], given: int, chunk: int
) -> list[float]:
    """The log-probability of every token from `tokens[given]` on.

    Args:
        model: what computes.
        store: prefix caches kept between calls.
        tokens: prefix and target.
        given: how many of the tokens, at least one, are prefix.
        chunk: tokens in one forward pass at most, which bounds the logits in memory.
    """
    cache = FlatCache(len(tokens))
    known = cache.recall(store, tokens[: given - 1], 0)
    found: list[float] = []
    for begin in range(known, len(tokens) - 1, chunk):
        end = min(begin + chunk, len(tokens) - 1)
        places = np.arange(begin, end)
        rows = range(max(begin, given - 1) - begin, end - begin)
        logits = model.forward(cache, tokens[begin:end], places, places, (Part.of_one(0, begin, end),), rows)
        wanted = torch.as_tensor(tokens[begin + 1 : end + 1][rows.start :], dtype=torch.long)
        found += (logits.gather(-1, wanted[:, None])[:, 0] - logits.logsumexp(-1)).tolist()
    if given - known > given // 10:
        cache.keep(store, tokens[: given - 1], 0)
    return found
