"""The loaded model: one forward pass over any tokens of any sequences, checked once against the plain one.

This module imports torch and transformers; `ragctx.readers.local` imports it at the first request, never before.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoConfig, AutoModelForCausalLM

from ragctx.errors import ConfigError
from ragctx.readers.flat_attention import NAME, FlatCache, Laid, Part
from ragctx.readers.gguf import without_bars
from ragctx.readers.local_attention import PLAIN, LocalAttention

if TYPE_CHECKING:
    from ragctx.attention.attending import Attending

ROWS = 64  # guesses over the vocabulary held at once: 12 MB in float32 for 49,000 tokens, so that they stay cached
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class LocalModel:
    """A causal language model of transformers with full attention.

    Args:
        folder: checkpoint folder.
        dtype: "float32" or "bfloat16".
        threads: of torch, for the whole process; None leaves them as they are.
        attention: how it attends; plainly by default.

    Raises:
        ConfigError: the checkpoint does not load, or its architecture attends in a way this reader does not compute.
    """

    def __init__(self, folder: Path, dtype: str, threads: int | None = None, attention: LocalAttention = PLAIN) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._model = _load(folder, dtype, attention)
        attending = attention.attending(self._model)
        self.attending: Attending | None = None
        self._check(folder.name)
        self._head = self._found_head()
        self.attending = attending

    def forward(
        self,
        cache: FlatCache,
        laid: Laid,
        rows: Sequence[int] | NDArray[np.int64] = (),
    ) -> torch.Tensor:
        """Compute tokens into the cache.

        Args:
            cache: where their keys and values go.
            laid: the tokens.
            rows: places among the tokens whose logits are wanted.

        Returns:
            float32 logits, shape (len(rows), vocabulary).
        """
        cache.aim(laid, self.attending)
        with torch.inference_mode():
            wanted = torch.as_tensor(rows, dtype=torch.long)
            output = self._model(**_inputs(laid, cache), logits_to_keep=wanted)
        logits: torch.Tensor = output.logits[0].float()
        return logits

    def logprobs(
        self,
        cache: FlatCache,
        laid: Laid,
        rows: NDArray[np.int64],
        targets: NDArray[np.int32],
    ) -> NDArray[np.float64]:
        """Compute tokens into the cache; how likely given tokens are after some of them.

        Args:
            cache: where their keys and values go.
            laid: the tokens.
            rows: places among the tokens, each as often as it is asked about.
            targets: for each row the id of a token that may come next.

        Returns:
            natural logarithms of probabilities, shape (len(rows),).
        """
        asked, which = np.unique(rows, return_inverse=True)
        if self._head is None:
            states = self.forward(cache, laid, asked)
        else:
            states = self._hidden(cache, laid)[torch.as_tensor(asked)]
        found = np.empty(len(rows))
        for begin in range(0, len(asked), ROWS):
            these = np.flatnonzero((which >= begin) & (which < begin + ROWS))
            block, wanted = states[begin : begin + ROWS], torch.as_tensor(targets[these], dtype=torch.long)
            found[these] = self._likely(block, torch.as_tensor(which[these] - begin), wanted).numpy()
        return found

    def _likely(self, states: torch.Tensor, rows: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Log-probabilities of targets, each after the state in its row; `states` are logits where no head is apart."""
        with torch.inference_mode():
            if self._head is None:
                return states[rows, targets] - states.logsumexp(-1)[rows]
            logits = self._head(states).float()
            if states.dtype == torch.float32:
                return logits[rows, targets] - logits.logsumexp(-1)[rows]
            return self._exactly(states, logits, rows, targets)

    def _exactly(
        self, states: torch.Tensor, logits: torch.Tensor, rows: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        """As `_likely`, the logits that count most computed anew: a half-precision logit is off by up to 0.06.

        Those are the target's and the best one's. The others' errors cancel in the sum.
        """
        best = logits.argmax(-1)
        top = self._exact(states, best)
        logits.scatter_(-1, best[:, None], top[:, None])
        own = self._exact(states[rows], targets)
        return torch.minimum(own - logits.logsumexp(-1)[rows], own.new_zeros(()))

    def _exact(self, states: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """The float32 logit of one token for each state."""
        found = (states.float() * self._head.weight[tokens].float()).sum(-1)
        return found if self._head.bias is None else found + self._head.bias[tokens].float()

    @property
    def vocabulary(self) -> int:
        """How many tokens it knows."""
        return int(self._model.get_input_embeddings().weight.shape[0])

    def _hidden(
        self,
        cache: FlatCache,
        laid: Laid,
    ) -> torch.Tensor:
        cache.aim(laid, self.attending)
        with torch.inference_mode():
            output = self._model.base_model(**_inputs(laid, cache))
        states: torch.Tensor = output.last_hidden_state[0]
        return states

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

    def _found_head(self) -> Any:  # noqa: ANN401 - transformers has no types
        """What makes logits of the last states, where that is one matrix and nothing else; None where it is not."""
        head = self._model.get_output_embeddings()
        if not isinstance(head, torch.nn.Linear):
            return None
        tokens, places = np.arange(3, 13, dtype=np.int32), np.arange(10)
        laid = Laid(tokens, places, places, (Part.of_one(0, 0, 10),))
        whole = self.forward(FlatCache(10), laid, range(10))
        try:
            with torch.inference_mode():
                apart = head(self._hidden(FlatCache(10), laid)).float()
        except (AttributeError, TypeError, RuntimeError, ValueError):
            return None
        return head if torch.allclose(whole, apart, rtol=1e-3, atol=1e-3) else None

    def _plain(self, tokens: NDArray[np.int32]) -> torch.Tensor:
        with torch.inference_mode():
            logits: torch.Tensor = self._model(torch.as_tensor(tokens, dtype=torch.long)[None]).logits[0, -1].float()
        return logits

    def _shared(self, first: NDArray[np.int32], second: NDArray[np.int32], prefix: int) -> torch.Tensor:
        cache = FlatCache(len(first) + len(second))
        places = np.arange(prefix)
        self.forward(cache, Laid(first[:prefix], places, places, (Part.of_one(0, 0, prefix),)))
        ends = prefix + np.cumsum([0, len(first) - prefix, len(second) - prefix])
        own = np.concatenate([first[prefix:], second[prefix:]])
        positions = np.concatenate([np.arange(prefix, len(first)), np.arange(prefix, len(second))])
        mask = torch.zeros(len(own), int(ends[-1]), dtype=torch.bool)
        mask[:, :prefix] = True
        for begin, end in pairwise(ends):
            mask[begin - prefix : end - prefix, begin:end] = torch.ones(end - begin, end - begin).tril() > 0
        part = Part((0, len(own)), (0, int(ends[-1])), mask)
        laid = Laid(own, positions, np.arange(prefix, ends[-1]), (part,))
        return self.forward(cache, laid, list(ends[1:] - prefix - 1))


def _inputs(laid: Laid, cache: FlatCache) -> dict[str, Any]:
    return {
        "input_ids": torch.from_numpy(laid.tokens.astype(np.int64))[None],
        "attention_mask": torch.ones(1, 1, 1, 1, dtype=torch.bool),  # four dimensions: taken as it is
        "position_ids": torch.as_tensor(laid.positions, dtype=torch.long)[None],
        "past_key_values": cache,
        "use_cache": True,
    }


def _unfit(name: str) -> str:
    return (
        f"the local reader cannot compute {name}'s kind of attention: serve it with an OpenAI-compatible server "
        "and name it openai:MODEL@BASE_URL"
    )


def _load(folder: Path, dtype: str, attention: LocalAttention) -> Any:  # noqa: ANN401 - transformers has no types here
    try:
        with without_bars():
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            attention.prepare(config)
            return AutoModelForCausalLM.from_pretrained(
                folder, config=config, dtype=DTYPES[dtype], attn_implementation="sdpa", local_files_only=True
            ).eval()
    except (OSError, ValueError, KeyError) as failed:
        raise ConfigError(f"cannot load {folder}: {failed}; fetch the checkpoint again or use another") from failed
