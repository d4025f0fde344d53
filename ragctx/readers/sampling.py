"""Chooses the next token from logits: the likeliest at temperature 0, otherwise drawn with a seed of its own.

Each prompt has its own random numbers, so a sample does not depend on what else was in its batch.
"""

from __future__ import annotations

import hashlib

import torch

from ragctx.work import Sampling


class Picker:
    """One prompt's choices.

    Args:
        sampling: temperature, top_p, seed and sample index.
        logprobs: also say the chosen token's log-probability, before temperature; otherwise it is 0.
    """

    def __init__(self, sampling: Sampling) -> None:
        self._temperature, self._top_p, self._logprobs = sampling.temperature, sampling.top_p, sampling.logprobs
        digest = hashlib.sha256(f"{sampling.seed}:{sampling.sample}".encode()).digest()
        self._random = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))

    def __call__(self, logits: torch.Tensor) -> tuple[int, float]:
        """The chosen token of one row of float32 logits, and its log-probability if that was asked for."""
        token = int(logits.argmax()) if self._temperature <= 0 else self._draw(logits)
        return token, float(logits[token] - logits.logsumexp(-1)) if self._logprobs else 0.0

    def _draw(self, logits: torch.Tensor) -> int:
        probabilities = (logits / self._temperature).softmax(-1)
        if self._top_p < 1:
            ordered, indices = probabilities.sort(descending=True)
            beyond = ordered.cumsum(-1) - ordered >= self._top_p  # the one that crosses the line stays
            probabilities = torch.zeros_like(probabilities).scatter(-1, indices, ordered.masked_fill(beyond, 0.0))
        return int(torch.multinomial(probabilities, 1, generator=self._random))
