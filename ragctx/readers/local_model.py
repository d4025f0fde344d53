"""The loaded model: one forward pass over any tokens of any sequences, checked once against the plain one.

This module imports torch and transformers; `ragctx.readers.local` imports it at the first request, never before.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM

from ragctx.errors import ConfigError
from ragctx.readers.flat_attention import NAME, FlatCache, Part
from ragctx.readers.gguf import without_bars

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class LocalModel:
    """A causal language model of transformers with full attention.

    Args:
        folder: checkpoint folder.
        dtype: "float32" or "bfloat16".
        threads: of torch, for the whole process; None leaves them as they are.

    Raises:
        ConfigError: the checkpoint does not load, or its architecture attends in a way this reader does not compute.
    """

    def __init__(self, folder: Path, dtype: str, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._model = _load(folder, dtype)
        self._check(folder.name)

    def forward(
        self,
        cache: FlatCache,
        tokens: NDArray[np.int32],
        positions: NDArray[np.int64],
        slots: NDArray[np.int64],
        parts: tuple[Part, ...],
        rows: Sequence[int] = (),
    ) -> torch.Tensor:
        """Compute tokens into the cache.

        Args:
            cache: where their keys and values go.
            tokens: token ids, shape (n,).
            positions: of each token in its own sequence.
            slots: of each token in the cache.
            parts: which of them see which slots, together covering the tokens in order.
            rows: tokens whose logits are wanted.

        Returns:
            float32 logits, shape (len(rows), vocabulary).
        """
        cache.aim(slots, parts)
        with torch.inference_mode():
            output = self._model(
                input_ids=torch.from_numpy(tokens.astype(np.int64))[None],
                attention_mask=torch.ones(1, 1, 1, 1, dtype=torch.bool),  # four dimensions: taken as it is
                position_ids=torch.as_tensor(positions, dtype=torch.long)[None],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=torch.as_tensor(rows, dtype=torch.long),
            )
        logits: torch.Tensor = output.logits[0].float()
        return logits

    def _check(self, name: str) -> None:
        """Two short sequences with a shared prefix must get the logits that the plain forward pass gives them.

        Architectures that do not read positions or attention as assumed here would answer wrongly without a sign.
        """
        first, second = np.arange(3, 13, dtype=np.int32), np.r_[np.arange(3, 9), np.arange(20, 23)].astype(np.int32)
        plain = [self._plain(tokens) for tokens in (first, second)]
        self._model.set_attn_implementation(NAME)
        try:
            ours = self._shared(first, second, prefix=6)
        except (AttributeError, TypeError, RuntimeError, ValueError, IndexError) as failed:
            raise ConfigError(_unfit(name)) from failed
        for a, b in zip(plain, ours, strict=True):
            if float((a - b).norm() / a.norm()) > 0.02:
                raise ConfigError(_unfit(name))

    def _plain(self, tokens: NDArray[np.int32]) -> torch.Tensor:
        with torch.inference_mode():
            logits: torch.Tensor = self._model(torch.as_tensor(tokens, dtype=torch.long)[None]).logits[0, -1].float()
        return logits

    def _shared(self, first: NDArray[np.int32], second: NDArray[np.int32], prefix: int) -> torch.Tensor:
        cache = FlatCache(len(first) + len(second))
        places = np.arange(prefix)
        self.forward(cache, first[:prefix], places, places, (Part.of_one(0, 0, prefix),))
        ends = prefix + np.cumsum([0, len(first) - prefix, len(second) - prefix])
        own = np.concatenate([first[prefix:], second[prefix:]])
        positions = np.concatenate([np.arange(prefix, len(first)), np.arange(prefix, len(second))])
        mask = torch.zeros(len(own), int(ends[-1]), dtype=torch.bool)
        mask[:, :prefix] = True
        for begin, end in pairwise(ends):
            mask[begin - prefix : end - prefix, begin:end] = torch.ones(end - begin, end - begin).tril() > 0
        part = Part((0, len(own)), (0, int(ends[-1])), mask)
        return self.forward(cache, own, positions, np.arange(prefix, ends[-1]), (part,), list(ends[1:] - prefix - 1))


def _unfit(name: str) -> str:
    return (
        f"the local reader cannot compute {name}'s kind of attention: serve it with an OpenAI-compatible server "
        "and name it openai:MODEL@BASE_URL"
    )


def _load(folder: Path, dtype: str) -> Any:  # noqa: ANN401 - transformers has no types here
    try:
        with without_bars():
            return AutoModelForCausalLM.from_pretrained(
                folder, dtype=DTYPES[dtype], attn_implementation="sdpa", local_files_only=True
            ).eval()
    except (OSError, ValueError, KeyError) as failed:
        raise ConfigError(f"cannot load {folder}: {failed}; fetch the checkpoint again or use another") from failed
